"""Differences of checkpoints: from the parent, from any other, and what cannot be compared."""

from collections import Counter
from typing import Any

import orjson
import pytest
from jsonpatch import JsonPatch

from tests.api.asking import NOBODY, Cairn, Json, read, refused
from tests.api.deleting import delete, execute, gone
from tests.api.files import Serve, serve
from tests.api.gates import open_gate, reached

pytestmark = pytest.mark.databases(seldom=True)

__all__ = ["serve"]

FORKING = """
from cairn import Context, Event, StartEvent, StopEvent, Workflow, step
from tests.api import gates


class Told(Event):
    n: int


class Fork(Workflow):
    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Told:
        await ctx.set("kept", {"list": [1, 2, 3], "text": "x"})
        await ctx.set("luck", 0)
        return Told(n=0)

    @step
    async def draw(self, ctx: Context, ev: Told) -> Told | StopEvent:
        gates.executed.append("draw")
        await ctx.set("luck", len(gates.executed))
        kept = await ctx.get("kept")
        await ctx.set("kept", {"list": [*kept["list"], len(gates.executed)], "text": "x"})
        return StopEvent(result=len(gates.executed)) if ev.n == 2 else Told(n=ev.n + 1)
"""
"""A step that comes to something else each time."""


async def diff(cairn: Cairn, checkpoint: Json, against: Json | None = None) -> Json:
    query = {} if against is None else {"against": against["id"]}
    found: Json = await cairn.get(f"/checkpoints/{checkpoint['id']}/diff", **query)
    return found


async def whole(cairn: Cairn, checkpoint: Json) -> Json:
    found: Json = await cairn.get(f"/checkpoints/{checkpoint['id']}")
    return found


def queued(of: Json) -> Counter[tuple[str, bytes]]:
    """The pending deliveries that a checkpoint shows, with how often each is there."""
    queues = of["ctx_state"]["queues"]
    return Counter(
        (step, orjson.dumps(event)) for step, events in queues.items() for event in events
    )


def deliveries(listed: list[Json]) -> Counter[tuple[str, bytes]]:
    assert all(it.keys() == {"step", "event_type", "event"} for it in listed)
    assert all(it["event_type"] == it["event"]["type"] for it in listed)
    return Counter((it["step"], orjson.dumps(it["event"])) for it in listed)


async def check(cairn: Cairn, checkpoint: Json, against: Json | None) -> Json:
    """The difference, which makes of the one checkpoint what the other shows."""
    found = await diff(cairn, checkpoint, against)
    after = await whole(cairn, checkpoint)
    if against is None and checkpoint["parent_id"] is not None:
        against = {"id": checkpoint["parent_id"]}
    before: Json = {"ctx_state": {"globals": {}, "queues": {}}}
    if against is not None:
        before = await whole(cairn, against)
    assert (found["checkpoint_id"], found["against_id"]) == (
        checkpoint["id"],
        against and against["id"],
    )
    patched = JsonPatch(found["state"]).apply(before["ctx_state"]["globals"])
    assert patched == after["ctx_state"]["globals"]
    pending, settled = deliveries(found["became_pending"]), deliveries(found["settled"])
    assert queued(before) - settled + pending == queued(after)
    assert settled <= queued(before)
    for name in ("input_event", "output_event"):
        assert found[name] == after[name]
    return found


async def test_a_checkpoint_differs_from_its_parent_by_what_its_step_did(cairn: Cairn) -> None:
    first = await cairn.completed("counter", {"by": 2})
    run = await cairn.completed("counter", {"by": 3}, first["context_id"])
    _, counted, ended = await cairn.checkpoints(run)
    by, told = {"type": "By", "data": {"by": 3}}, {"type": "Counted", "data": {"count": 5}}
    assert await diff(cairn, counted) == {
        "checkpoint_id": counted["id"],
        "against_id": counted["parent_id"],
        "state": [{"op": "replace", "path": "/count", "value": 5, "old": 2}],
        "became_pending": [{"step": "tell", "event_type": "Counted", "event": told}],
        "settled": [{"step": "count", "event_type": "By", "event": by}],
        "input_event": by,
        "output_event": told,
    }
    last = await diff(cairn, ended)
    assert (last["state"], last["became_pending"]) == ([], [])
    assert [it["step"] for it in last["settled"]] == ["tell"]


async def test_the_first_checkpoint_of_a_run_without_a_parent_is_compared_with_nothing(
    cairn: Cairn,
) -> None:
    first = await cairn.completed("counter", {"by": 2})
    run = await cairn.completed("counter", {"by": 3}, first["context_id"])
    found = await diff(cairn, (await cairn.checkpoints(run))[0])
    assert found["against_id"] is None
    assert found["state"] == [{"op": "add", "path": "/count", "value": 2}]
    assert [it["step"] for it in found["became_pending"]] == ["count"]
    assert (found["settled"], found["input_event"]) == ([], None)


async def test_any_two_checkpoints_of_runs_and_reruns_are_told_apart(cairn: Cairn) -> None:
    run = await cairn.completed("scatter", {"width": 3})
    own = await cairn.checkpoints(run)
    rerun = await cairn.until(await cairn.rerun(own[3]), "completed")
    other = await cairn.completed("counter")
    checkpoints = [*own, *await cairn.checkpoints(rerun), *await cairn.checkpoints(other)]
    for checkpoint in checkpoints:
        await check(cairn, checkpoint, None)
    for checkpoint in checkpoints[::3]:
        for against in checkpoints[::2]:
            found = await check(cairn, checkpoint, against)
            if checkpoint == against:
                assert found["state"] == found["became_pending"] == found["settled"] == []


async def test_a_rerun_with_another_state_differs_from_its_run(serve: Serve) -> None:
    async with serve(FORKING) as cairn:
        run = await cairn.completed("fork")
        own = await cairn.checkpoints(run)
        rerun = await cairn.until(await cairn.rerun(own[2]), "completed")
        again = await cairn.checkpoints(rerun)
        found = await check(cairn, again[-1], own[-1])
        assert found["state"] == [
            {"op": "replace", "path": "/kept/list/4", "value": 4, "old": 2},
            {"op": "replace", "path": "/kept/list/5", "value": 5, "old": 3},
            {"op": "replace", "path": "/luck", "value": 5, "old": 3},
        ]


async def test_a_rerun_that_began_with_another_state_differs_from_its_origin_by_that(
    cairn: Cairn, database: str
) -> None:
    run = await cairn.completed("counter", {"by": 2})
    counted = (await cairn.checkpoints(run))[1]
    path = f"/checkpoints/{counted['id']}/rerun"
    response = await cairn.http.post(path, json={"state": {"count": 7, "new": True}})
    assert response.status_code == 202, response.text
    again = await cairn.until(read(response), "completed")
    assert again["result"] == 7
    [ended] = await cairn.checkpoints(again)
    found = await check(cairn, ended, None)
    assert found["against_id"] == counted["id"]
    assert found["state"] == [
        {"op": "add", "path": "/new", "value": True},
        {"op": "replace", "path": "/count", "value": 7, "old": 2},
    ]
    assert (await delete(cairn, "runs", run["id"])).status_code == 204
    await gone(database, "deletions")
    assert (await diff(cairn, ended))["state"] == [], "what it began with is all that is left"


async def test_equal_deliveries_after_a_fork_are_not_taken_for_each_other(cairn: Cairn) -> None:
    run = await cairn.completed("scatter", {"width": 2})
    scattered = (await cairn.checkpoints(run))[1]
    one, other = [
        (await cairn.checkpoints(await cairn.until(await cairn.rerun(scattered), "completed")))[0]
        for _ in range(2)
    ]
    found = await check(cairn, one, other)
    # The part that neither has worked on came before the fork; what each has done came after.
    assert [it["step"] for it in found["became_pending"]].count("gather") == 1
    assert [it["step"] for it in found["settled"]].count("gather") == 1


async def test_a_step_that_begins_to_wait_settles_nothing(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("mid_step", {"amount": 7}), "waiting")
    began, waits = await cairn.checkpoints(run)
    found = await check(cairn, waits, None)
    assert (found["became_pending"], found["settled"]) == ([], [])
    assert found["output_event"] == {"type": "Question", "data": {"text": "pay 7?"}}
    await cairn.tell(run, "Verdict", approved=True)
    await cairn.until(run, "completed")
    *_, ended = await cairn.checkpoints(run)
    found = await check(cairn, ended, began)
    assert [it["step"] for it in found["settled"]] == ["ask"]


async def test_a_run_under_way_is_compared_as_far_as_it_is(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "g"})
    await reached("g")
    _, arrived = await cairn.checkpoints(run)
    found = await check(cairn, arrived, None)
    assert found["state"] == [{"op": "add", "path": "/at", "value": "g"}]
    open_gate("g")
    await cairn.until(run, "completed")


async def test_a_large_state_is_compared_whole(cairn: Cairn) -> None:
    first = await cairn.completed("hoard", {"size": 300_000, "rounds": 1})
    body = {"letter": "y", "size": 300_000, "rounds": 1}
    run = await cairn.completed("hoard", body, first["context_id"])
    found = await check(cairn, (await cairn.checkpoints(run))[1], None)
    [changed] = found["state"]
    assert (changed["old"], changed["value"]) == ("x" * 300_000, "y" * 300_000)


async def test_a_rerun_whose_parent_is_deleted_is_compared_with_what_it_began_with(
    cairn: Cairn, database: str
) -> None:
    run = await cairn.completed("scatter", {"width": 3})
    origin = (await cairn.checkpoints(run))[3]
    rerun = await cairn.until(await cairn.rerun(origin), "completed")
    first, second = (await cairn.checkpoints(rerun))[:2]
    before = await diff(cairn, first)
    assert before["against_id"] == origin["id"]
    assert (await delete(cairn, "runs", run["id"])).status_code == 204
    await gone(database, "deletions")
    assert await diff(cairn, first) == before
    await check(cairn, second, first)
    path = f"/checkpoints/{first['id']}/diff"
    refused(await cairn.http.get(path, params={"against": origin["id"]}), 404, origin["id"])


async def test_reruns_of_a_deleted_run_still_share_what_it_left_pending(
    cairn: Cairn, database: str
) -> None:
    run = await cairn.completed("scatter", {"width": 3})
    scattered = (await cairn.checkpoints(run))[1]
    one, other = [
        (await cairn.checkpoints(await cairn.until(await cairn.rerun(scattered), "completed")))[0]
        for _ in range(2)
    ]
    before = await check(cairn, one, other)
    assert (await delete(cairn, "runs", run["id"])).status_code == 204
    await gone(database, "deletions")
    assert await diff(cairn, one, other) == before


async def test_what_is_not_there_cannot_be_compared(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    last = (await cairn.checkpoints(run))[-1]["id"]
    refused(await cairn.http.get(f"/checkpoints/{NOBODY}/diff"), 404, NOBODY)
    path = f"/checkpoints/{last}/diff"
    refused(await cairn.http.get(path, params={"against": NOBODY}), 404, NOBODY)
    refused(await cairn.http.get("/checkpoints/nope/diff"), 404)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"against": "nonsense"}, "against"),
        ({"against": ""}, "against"),
        ({"agains": NOBODY}, "agains"),
        ([("against", NOBODY), ("against", NOBODY)], "against"),
    ],
)
async def test_a_query_that_is_wrong_is_refused_by_its_name(
    cairn: Cairn, query: Any, name: str
) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    last = (await cairn.checkpoints(run))[-1]["id"]
    problem = refused(await cairn.http.get(f"/checkpoints/{last}/diff", params=query), 422)
    assert problem["errors"][0]["where"] == ["query", name]


@pytest.mark.parametrize("damaged", ["delta", "whole"])
async def test_a_damaged_checkpoint_is_said_to_be_damaged(
    cairn: Cairn, database: str, damaged: str
) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    _, told, _ = await cairn.checkpoints(run)
    garbage = "x'00ff'" if database.startswith("sqlite") else r"'\x00ff'"
    execute(database, f"UPDATE checkpoints SET {damaged} = {garbage} WHERE {damaged} IS NOT NULL")
    problem = refused(await cairn.http.get(f"/checkpoints/{told['id']}/diff"), 500)
    assert problem["type"] == "/problems/damaged"
    assert await cairn.checkpoints(run)
