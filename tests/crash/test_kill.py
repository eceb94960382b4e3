"""SIGKILL at random instants, under load: nothing accepted is lost, nothing is done twice."""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tests.crash.checks import check_checkpoints, check_results, key_of
from tests.crash.load import Load, completed, steps
from tests.crash.orders import Order, any_orders
from tests.crash.service import BOUND, Service, until
from tests.crash.trace import Delivery, Mark, wrongs

pytestmark = pytest.mark.crash

CUSTOMERS = 12
IMPORTING_SECONDS, STARTING_SECONDS, SERVING_SECONDS = 2.5, 0.3, 0.8
"""How late a kill may come: after the start of a process that has to import everything, of another
one, and after it is ready."""

ANEW = 0.1
"""How many of the lives begin as from a shell, and import everything."""

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What the kills at random instants show on each database is looked at once more from near."""

RESUMED_WITHIN = 5.0
"""Seconds from being ready to the first resumed step. There is no grace period: it is far less."""

AT_ONCE = 1.0
"""Seconds for the same, where only the number of other runs could hold it up."""


async def test_runs_survive_kills_at_random_instants(service: Service) -> None:
    await survive(service, kills=20)


@pytest.mark.slow
async def test_runs_survive_very_many_kills(service: Service) -> None:
    await survive(service, kills=500)


@on_sqlite
async def test_runs_that_were_answered_202_survive_a_kill_at_once(service: Service) -> None:
    orders = [Order(f"chain-{number}", "chain", 9) for number in range(60)]
    async with Load([service.url]) as load:
        await service.start()
        for some in (orders[:30], orders[30:]):
            await asyncio.gather(*map(load.order, some))
            service.kill()
            await service.start()
        for order in orders:
            run = await load.ended(order)
            assert (run["status"], run["result"]) == ("completed", order.result(1))
        assert len(await load.every("/runs")) == len(orders)


@on_sqlite
async def test_a_rerun_that_was_accepted_survives_a_kill_at_once(service: Service) -> None:
    order = Order("chain-0", "chain", 9, pause=0.05)
    async with Load([service.url]) as load:
        await service.start()
        await load.carry_out(order)
        found = steps((await load.checkpoints([order]))[order.key])
        origin = next(checkpoint for delivery, checkpoint in found if delivery[2] == 3)
        path = f"/checkpoints/{origin['id']}/rerun"
        made = await load.post(path, {}, "a rerun")
        service.kill()
        await service.start()
        again = await load.post(path, {}, "a rerun")
        assert (again["id"], len(await load.every("/runs"))) == (made["id"], 2)

        rerun = replace(order, run_id=made["id"])
        run = await load.ended(rerun)
        assert (run["status"], run["result"]) == ("completed", order.result(1))
        checkpoints = (await load.checkpoints([rerun]))[order.key]
        assert checkpoints[0]["parent_id"] == origin["id"]
        hops = {("chain-0", "hop", number) for number in range(4, 10)}
        assert completed(checkpoints) == Counter(hops)
        head = await load.get(f"/checkpoints/{checkpoints[-1]['id']}")
        assert head["ctx_state"]["globals"] == order.state(1)
        assert service.trace.began(("chain-0", "hop", 3)) == 1


@on_sqlite
async def test_what_has_ended_stays_as_it_is(service: Service) -> None:
    done = Order("chain-0", "chain", 2)
    failed = Order("ValueError", "fail", 1)
    cancelled = Order("hold", "hold", 1, gate=str(service.home / "gate"))
    async with Load([service.url]) as load:
        await service.start()
        await load.carry_out(done)
        await load.carry_out(failed)
        await load.order(cancelled)
        await service.reaches(("hold", "hold", 1))
        await load.post(f"/runs/{cancelled.run_id}/cancel", {}, "cancel")
        service.kill()
        before = service.committed()
        executed = service.trace.marks()
        await service.start()
        await load.carry_out(Order("after-the-others", "chain", 2))
        statuses = [(await load.ended(order))["status"] for order in (done, failed, cancelled)]
        assert statuses == ["completed", "failed", "cancelled"]
        marks = service.trace.marks()
        assert {mark.key for mark in marks[len(executed) :]} == {"after-the-others"}
        found = await load.checkpoints([done, failed, cancelled])
        assert {UUID(c["id"]) for some in found.values() for c in some} == before


@on_sqlite
async def test_no_step_ends_more_than_its_own_run(service: Service) -> None:
    async with Load([service.url]) as load:
        await service.start()
        for error in ("SystemExit", "GeneratorExit", "CancelledError", "KeyboardInterrupt"):
            order = Order(error, "fail", 1)
            await load.order(order)
            run = await _while_alive(service, load.ended(order))
            assert (run["status"], run["error"]["step"]) == ("failed", "begin")


async def _while_alive(service: Service, asking: Coroutine[Any, Any, Any]) -> Any:
    """What it answers; not asked any more once the service is dead."""
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(asking)
        await until(lambda: asked.done() or not service.is_alive, "it answers, or dies")
        assert service.is_alive, "the service has ended"
    return asked.result()


async def test_recovery_begins_at_once_and_goes_on_at_the_last_checkpoint(service: Service) -> None:
    order = Order("chain-0", "chain", 9, pause=0.3)
    async with Load([service.url]) as load:
        await service.start()
        await load.order(order)
        await service.reaches(("chain-0", "hop", 3))
        service.kill()
        executed = {mark.delivery for mark in service.trace.marks("begin")}
        await service.start()
        ready = service.ready_at[-1]
        assert ready is not None
        run = await load.ended(order)
        resumed = service.trace.marks("begin")[len(executed)]
        print(f"the first step was resumed {resumed.at - ready:+.3f} s from being ready")
        assert resumed.delivery == ("chain-0", "hop", 3)
        assert resumed.at - ready < RESUMED_WITHIN
        assert run["result"] == order.result(1)
        assert service.trace.began(("chain-0", "hop", 2)) == 1


@pytest.mark.slow
async def test_recovery_does_not_wait_for_runs_that_wait(service: Service) -> None:
    order = Order("chain-0", "chain", 9, pause=0.3)
    async with Load([service.url]) as load:
        await service.start()
        waiting = [Order(f"approval-{number}", "approval", 1) for number in range(2000)]
        for some in range(0, len(waiting), CUSTOMERS):
            await asyncio.gather(*map(load.order, waiting[some : some + CUSTOMERS]))
        await load.asked(waiting[-1], 1)
        await load.order(order)
        await service.reaches(("chain-0", "hop", 3))
        service.kill()
        executed = len(service.trace.marks("begin"))
        await service.start()
        ready = service.ready_at[-1]
        assert ready is not None
        await load.ended(order)
        resumed = service.trace.marks("begin")[executed]
        print(f"the first step was resumed {resumed.at - ready:+.3f} s from being ready")
        assert resumed.at - ready < AT_ONCE


async def survive(service: Service, kills: int) -> None:
    """Kill the service that many times under load; then let everything end, and look at it all."""
    seed = time.time_ns()
    print(f"the random instants come from seed {seed}")
    chance = random.Random(seed)
    committed: dict[UUID, int] = {}  # the first life after which each checkpoint was there
    async with Load([service.url]) as load:
        async with asyncio.TaskGroup() as group:
            anew = True
            service.spawn(anew)
            contexts = await load.contexts("chain", "counter")
            orders = any_orders(chance, contexts)
            customers = group.create_task(load.customers(CUSTOMERS, orders))
            for _ in range(kills):
                await _instant(service, load, chance, anew)
                service.kill()
                committed = dict.fromkeys(service.committed(), service.life) | committed
                assert not customers.done()
                anew = chance.random() < ANEW
                service.spawn(anew)
            await service.ready()
            load.close()
        await _check(service, load, committed)


async def _instant(service: Service, load: Load, chance: random.Random, anew: bool) -> None:
    """Wait for the moment to kill: while it starts, while it serves, or as it says 202."""
    moment = chance.random()
    if moment < 0.15:
        await asyncio.sleep(chance.uniform(0, IMPORTING_SECONDS if anew else STARTING_SECONDS))
        return
    await service.ready()
    if moment < 0.35:
        accepted = asyncio.Event()
        load.accepted = accepted.set
        async with asyncio.timeout(BOUND):
            await accepted.wait()
    else:
        await asyncio.sleep(chance.uniform(0, SERVING_SECONDS))


async def _check(service: Service, load: Load, committed: Mapping[UUID, int]) -> None:
    orders = {order.key: order for order in load.ordered}
    runs = await load.every("/runs")
    assert load.surprises == []
    assert Counter(map(key_of, runs)) == Counter(orders.keys()), "each order makes one run"
    assert {run["id"] for run in runs} == {order.run_id for order in orders.values()}
    assert [run for run in runs if run["status"] != "completed"] == []

    found = await load.checkpoints(load.ordered)
    await check_results(load, runs, orders, found)
    lives: dict[Delivery, int] = {}
    for key, checkpoints in found.items():
        check_checkpoints(orders[key], checkpoints)
        for delivery, checkpoint in steps(checkpoints):
            lives[delivery] = committed.get(UUID(checkpoint["id"]), service.life)

    marks = service.trace.marks()
    causes = {after: before for o in orders.values() for after, before in o.causes.items()}
    assert wrongs(marks, service.pids, lives, causes) == []
    assert "Traceback" not in service.output
    begun = sum(mark.what == "begin" for mark in marks)
    print(
        f"{service.life} kills, {len(runs)} runs, {load.repeated} requests repeated, "
        f"{len(lives)} steps completed, {begun - len(lives)} executions broken off"
    )
    _check_recovery(service, marks)


def _check_recovery(service: Service, marks: list[Mark]) -> None:
    """In each life, what the one before has left was taken up as soon as the service was ready."""
    seen: set[str] = set()
    took: list[float] = []
    for pid, ready in zip(service.pids, service.ready_at, strict=True):
        begun = [mark for mark in marks if mark.pid == pid]
        resumed = next((mark for mark in begun if mark.key in seen), None)
        if resumed is not None and ready is not None:
            took.append(resumed.at - ready)
        seen |= {mark.key for mark in begun}
    print(
        f"the first step was resumed {statistics.median(took):+.3f} s from being ready "
        f"(median of {len(took)} restarts), {max(took):+.3f} s at most"
    )
    assert max(took) < RESUMED_WITHIN
