"""What must hold of all runs, whatever has happened to them."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from tests.crash.load import Load, completed, heard, steps
from tests.crash.orders import Order
from tests.crash.trace import Delivery, Mark

CLOCKS = 0.005
"""Seconds by which the two clocks may have moved against each other."""


RESUMING = 1.0
"""Seconds in which a process that goes on after a pause must have seen that it lost its runs."""

Resumed = Sequence[tuple[int, float]]
"""Processes that were paused, and when they went on."""


async def check_all(
    load: Load, marks: Iterable[Mark], resumed: Resumed = ()
) -> dict[str, list[Any]]:
    """All that was ordered has become one run each and completed, exactly; the checkpoints.

    Args:
        resumed: what these were about to begin as they were paused, they begin as they go on,
            since no process can know that it was paused; nothing may come of it.
    """
    assert load.surprises == []
    orders = {order.key: order for order in load.ordered}
    runs = await load.every("/runs")
    assert Counter(map(key_of, runs)) == Counter(orders.keys()), "each order makes one run"
    assert {run["id"] for run in runs} == {order.run_id for order in orders.values()}
    assert [run for run in runs if run["status"] != "completed"] == []
    found = await load.checkpoints(load.ordered)
    await check_results(load, runs, orders, found)
    for key, checkpoints in found.items():
        check_checkpoints(orders[key], checkpoints)
    again = [mark for mark in executed_again(marks, found) if not _is_resuming(mark, resumed)]
    assert again == [], again
    return found


async def check_results(
    load: Load, runs: list[Any], orders: Mapping[str, Order], found: Mapping[str, list[Any]]
) -> None:
    """One run after the other in its context, each building on what the one before has left."""
    turns = defaultdict(list)
    for run in sorted(runs, key=lambda run: run["started_at"]):
        turns[run["context_id"]].append(run)
    for in_turn in turns.values():
        for run, following in pairwise(in_turn):
            assert run["finished_at"] <= following["started_at"], (run, following)
        for turn, run in enumerate(in_turn, start=1):
            order = orders[key_of(run)]
            assert run["result"] == order.result(turn), run
            head = await load.get(f"/checkpoints/{found[order.key][-1]['id']}")
            assert head["ctx_state"]["globals"] == order.state(turn), run


def check_checkpoints(order: Order, checkpoints: list[Any]) -> None:
    """Each fact stands there once, and all of them in one line."""
    assert [c["seq"] for c in checkpoints] == list(range(1, len(checkpoints) + 1)), order
    parents = [None, *(c["id"] for c in checkpoints[:-1])]
    assert [c["parent_id"] for c in checkpoints] == parents, order
    assert completed(checkpoints) == Counter(order.deliveries), order
    assert heard(checkpoints) == order.received, order


def executed_again(marks: Iterable[Mark], found: Mapping[str, list[Any]]) -> list[Mark]:
    """The executions of a step that began after there was its checkpoint."""
    monotonic = time.time() - time.monotonic()
    made: dict[Delivery, float] = {
        delivery: datetime.fromisoformat(checkpoint["created_at"]).timestamp() - monotonic
        for checkpoints in found.values()
        for delivery, checkpoint in steps(checkpoints)
    }
    return [
        mark
        for mark in marks
        if mark.what == "begin" and mark.at > made.get(mark.delivery, mark.at) + CLOCKS
    ]


def _is_resuming(mark: Mark, resumed: Resumed) -> bool:
    return any(mark.pid == pid and 0 <= mark.at - at < RESUMING for pid, at in resumed)


def more_than_once(marks: Iterable[Mark]) -> dict[Delivery, int]:
    """The deliveries whose step began more than once, and how many times."""
    begun = Counter(mark.delivery for mark in marks if mark.what == "begin")
    return {delivery: times for delivery, times in begun.items() if times > 1}


def key_of(run: Any) -> str:
    """The key of the order that a run was made for."""
    return str(run["start_event"]["key"])
