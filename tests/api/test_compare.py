"""Comparisons of runs: side by side after the last checkpoint that both share."""

from datetime import datetime
from typing import Any

import pytest
from jsonpatch import JsonPatch

from tests.api import gates
from tests.api.asking import NOBODY, Cairn, Json, read, refused
from tests.api.deleting import delete, execute, gone, literal
from tests.api.files import Serve, serve
from tests.api.gates import open_gate, reached
from tests.api.test_diff import FORKING

pytestmark = pytest.mark.databases(seldom=True)

__all__ = ["serve"]


async def compare(cairn: Cairn, run: Json, other: Json) -> Json:
    found: Json = await cairn.get(f"/runs/{run['id']}/compare", **{"with": other["id"]})
    return found


async def rerun(cairn: Cairn, run: Json, number: int) -> Json:
    """A completed rerun from the run's checkpoint of that place."""
    return await cairn.until(await cairn.rerun((await cairn.checkpoints(run))[number]), "completed")


def sides(found: Json) -> list[tuple[str | None, int, int | None, int | None]]:
    """The pairs: the step, the occurrence, and the `seq` of each side."""
    return [
        (
            it["step"],
            it["occurrence"],
            it["run"] and it["run"]["seq"],
            it["other"] and it["other"]["seq"],
        )
        for it in found["steps"]
    ]


async def state(cairn: Cairn, run: Json) -> Json:
    """The state at the end of the run's last checkpoint."""
    last = (await cairn.checkpoints(run))[-1]
    shown: Json = (await cairn.get(f"/checkpoints/{last['id']}"))["ctx_state"]["globals"]
    return shown


async def test_a_rerun_that_gives_the_same_is_equal_after_its_origin(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    first, second, third = await cairn.checkpoints(run)
    again = await rerun(cairn, run, 0)
    found = await compare(cairn, run, again)
    assert found["common_ancestor"] == {
        "checkpoint_id": first["id"],
        "run_id": run["id"],
        "seq": 1,
    }
    for side, of in (("run", run), ("other", again)):
        assert found[side] == {key: of[key] for key in ("id", "status", "result", "error")}
    assert sides(found) == [("generate_joke", 1, 2, 1), ("critique_joke", 1, 3, 2)]
    assert all(
        it["equal"] and it["input_event_equal"] and it["output_event_equal"]
        for it in found["steps"]
    )
    assert [it["run"]["checkpoint_id"] for it in found["steps"]] == [second["id"], third["id"]]
    assert {it["other"]["run_id"] for it in found["steps"]} == {again["id"]}
    assert (found["first_divergence"], found["state"], found["truncated"]) == (None, [], False)


async def test_a_failed_run_and_its_mended_rerun_part_where_it_failed(cairn: Cairn) -> None:
    run = await cairn.ended(await cairn.start("failing", {"fault": "disk"}))
    gates.mended.add("disk")
    mended = await rerun(cairn, run, -1)
    found = await compare(cairn, run, mended)
    assert found["run"]["status"] == "failed"
    assert found["run"]["error"]["type"] == "DiskIsFull"
    assert found["other"]["result"] == "disk is done"
    assert sides(found) == [("work", 1, None, 1)]
    diverged = found["first_divergence"]
    assert diverged == found["steps"][0]
    assert not any(diverged[k] for k in ("equal", "input_event_equal", "output_event_equal"))
    turned = await compare(cairn, mended, run)
    assert sides(turned) == [("work", 1, 1, None)]
    assert turned["common_ancestor"] == found["common_ancestor"]


async def test_a_rerun_with_another_state_is_told_apart_from_its_first_other_event(
    serve: Serve,
) -> None:
    async with serve(FORKING) as cairn:
        run = await cairn.completed("fork")
        again = await rerun(cairn, run, 2)
        found = await compare(cairn, run, again)
        assert sides(found) == [("draw", 1, 4, 1), ("draw", 2, 5, 2)]
        one, two = found["steps"]
        assert one["equal"], "its events are, though not its state"
        assert (two["equal"], two["input_event_equal"], two["output_event_equal"]) == (
            False,
            True,
            False,
        )
        assert found["first_divergence"] == two
        patched = JsonPatch(found["state"]).apply(await state(cairn, run))
        assert patched == await state(cairn, again)
        assert {"op": "replace", "path": "/luck", "value": 5, "old": 3} in found["state"]


async def test_reruns_of_reruns_share_the_earlier_of_their_origins(cairn: Cairn) -> None:
    run = await cairn.completed("scatter", {"width": 3})
    own = await cairn.checkpoints(run)
    child = await rerun(cairn, run, 4)
    grandchild = await rerun(cairn, child, 0)
    cousin = await rerun(cairn, run, 2)
    found = await compare(cairn, grandchild, cousin)
    assert found["common_ancestor"]["checkpoint_id"] == own[2]["id"]
    ours = [it["run"] for it in found["steps"] if it["run"]]
    assert [it["run_id"] for it in ours[:3]] == [run["id"], run["id"], child["id"]]
    assert [it["seq"] for it in ours[:4]] == [4, 5, 1, 1]
    theirs = [it["other"]["checkpoint_id"] for it in found["steps"] if it["other"]]
    assert sorted(theirs) == [c["id"] for c in await cairn.checkpoints(cousin)]
    assert (found["run"]["result"], found["other"]["result"]) == ([0, 1, 2], [0, 1, 2])
    assert (await compare(cairn, run, grandchild))["common_ancestor"]["seq"] == 5


async def test_a_rerun_from_before_a_checkpoint_shares_what_came_before(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    _, told, _ = await cairn.checkpoints(run)
    child = await rerun(cairn, run, 1)
    [first] = await cairn.checkpoints(child)
    path = f"/checkpoints/{first['id']}/rerun"
    response = await cairn.http.post(path, json={"when": "before"})
    assert response.status_code == 202, response.text
    again = await cairn.until(read(response), "completed")
    assert (again["parent_run_id"], again["origin_checkpoint_id"]) == (child["id"], told["id"])
    for other in (child, run):
        found = await compare(cairn, again, other)
        assert found["common_ancestor"]["checkpoint_id"] == told["id"]
        assert found["common_ancestor"]["run_id"] == run["id"]
        assert [it[:2] for it in sides(found)] == [("critique_joke", 1)]
        assert found["first_divergence"] is None


async def test_unrelated_runs_are_compared_from_the_beginning(cairn: Cairn) -> None:
    run = await cairn.completed("counter", {"by": 2})
    other = await cairn.completed("counter", {"by": 3}, run["context_id"])
    child = await rerun(cairn, other, 1)
    found = await compare(cairn, run, child)
    assert found["common_ancestor"] is None
    assert sides(found) == [(None, 1, 1, 1), ("count", 1, 2, 2), ("tell", 1, 3, 1)]
    runs = [it["other"]["run_id"] for it in found["steps"]]
    assert runs == [other["id"], other["id"], child["id"]], "the inherited ones are its parent's"
    assert found["first_divergence"] == found["steps"][0], "their start events"
    assert found["state"] == [{"op": "replace", "path": "/count", "value": 5, "old": 2}]
    assert (found["run"]["result"], found["other"]["result"]) == (2, 5)


async def test_a_step_that_one_run_took_more_often_has_no_partner(cairn: Cairn) -> None:
    few, many = [await cairn.completed("scatter", {"width": width}) for width in (1, 3)]
    found = await compare(cairn, few, many)
    alone = [(it["step"], it["occurrence"]) for it in found["steps"] if it["run"] is None]
    assert sorted(alone) == [("gather", 2), ("gather", 3), ("work", 2), ("work", 3)]
    assert len(found["steps"]) == many["checkpoint_count"]
    assert [it["other"]["seq"] for it in found["steps"] if it["run"]] == [1, 2, 3, 6]


async def test_a_run_that_waits_is_compared_as_far_as_it_is(cairn: Cairn) -> None:
    waits = await cairn.until(await cairn.start("mid_step", {"amount": 7}), "waiting")
    again = await cairn.rerun((await cairn.checkpoints(waits))[0])
    await cairn.until(again, "waiting")
    await cairn.tell(again, "Verdict", approved=True)
    await cairn.until(again, "completed")
    found = await compare(cairn, waits, again)
    assert found["run"] == {"id": waits["id"], "status": "waiting", "result": None, "error": None}
    assert found["other"]["status"] == "completed"
    waiting, *rest = found["steps"]
    assert waiting["equal"]
    assert waiting["run"]["output_event_type"] == "Question"
    assert [it["run"] for it in rest] == [None] * len(rest)
    assert found["first_divergence"] == rest[0]
    assert rest[-1]["step"] == "ask"


async def test_a_run_without_a_checkpoint_has_nothing_to_show(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "one"})
    await reached("one")
    queued = await cairn.start("slow", {"gate": "two"}, run["context_id"])
    found = await compare(cairn, queued, run)
    assert found["run"]["status"] == "queued"
    assert sides(found) == [(None, 1, None, 1), ("arrive", 1, None, 2)]
    alone = await compare(cairn, queued, queued)
    assert (alone["common_ancestor"], alone["steps"]) == (None, [])
    for gate in ("one", "two"):
        open_gate(gate)
    await cairn.ended(queued)


async def test_a_run_is_equal_to_itself(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    *_, last = await cairn.checkpoints(run)
    found = await compare(cairn, run, run)
    assert found["common_ancestor"]["checkpoint_id"] == last["id"]
    assert (found["steps"], found["first_divergence"], found["state"]) == ([], None, [])


async def test_the_time_of_a_checkpoint_counts_from_the_one_before(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    again = await rerun(cairn, run, 1)
    first, second, third = [
        datetime.fromisoformat(c["created_at"]) for c in await cairn.checkpoints(run)
    ]
    [only] = await cairn.checkpoints(again)
    [pair] = (await compare(cairn, run, again))["steps"]
    assert pair["run"]["seconds"] == (third - second).total_seconds()
    began = datetime.fromisoformat(again["started_at"])
    left = datetime.fromisoformat(only["created_at"])
    assert pair["other"]["seconds"] == max((left - began).total_seconds(), 0)
    unrelated = await cairn.completed("joke", {"topic": "math"})
    told = (await compare(cairn, run, unrelated))["steps"][1]
    assert told["run"]["seconds"] == (second - first).total_seconds()


async def test_reruns_of_a_deleted_run_are_still_related(cairn: Cairn, database: str) -> None:
    run = await cairn.completed("scatter", {"width": 2})
    own = await cairn.checkpoints(run)
    one, other = [await rerun(cairn, run, number) for number in (3, 2)]
    unrelated = await cairn.completed("scatter", {"width": 2})
    assert (await delete(cairn, "runs", run["id"])).status_code == 204
    await gone(database, "deletions")
    found = await compare(cairn, one, other)
    assert found["common_ancestor"] == {
        "checkpoint_id": own[2]["id"],
        "run_id": run["id"],
        "seq": None,
    }
    assert {it["run"]["run_id"] for it in found["steps"] if it["run"]} == {one["id"]}
    shown = [it["other"]["seq"] for it in found["steps"] if it["other"]]
    assert sorted(shown) == list(range(1, other["checkpoint_count"] + 1))
    found = await compare(cairn, one, unrelated)
    assert found["common_ancestor"] is None
    refused(
        await cairn.http.get(f"/runs/{one['id']}/compare", params={"with": run["id"]}),
        404,
        run["id"],
    )


async def test_very_many_checkpoints_are_compared_up_to_a_bound(cairn: Cairn) -> None:
    body = {"size": 1, "rounds": 1_002}
    run = await cairn.until(await cairn.start("hoard", body), "completed")
    again = await cairn.until(await cairn.start("hoard", body), "completed")
    found = await compare(cairn, run, again)
    assert (len(found["steps"]), found["truncated"]) == (1_000, True)
    assert found["first_divergence"] is None
    assert all(it["run"] and it["other"] for it in found["steps"])
    [stop] = await cairn.checkpoints(run, output_event_type="StopEvent")
    child = await cairn.until(await cairn.rerun({"id": stop["parent_id"]}), "completed")
    found = await compare(cairn, run, child)
    assert (len(found["steps"]), found["truncated"]) == (1, False)


async def test_runs_of_different_workflows_are_not_compared(cairn: Cairn) -> None:
    run, other = await cairn.completed("joke", {"topic": "math"}), await cairn.completed("counter")
    response = await cairn.http.get(f"/runs/{run['id']}/compare", params={"with": other["id"]})
    problem = refused(response, 409, "'joke'", "'counter'")
    assert problem["type"] == "/problems/workflows-differ"


async def test_what_is_not_there_cannot_be_compared(cairn: Cairn) -> None:
    run = (await cairn.completed("joke", {"topic": "math"}))["id"]
    for one, other in ((NOBODY, run), (run, NOBODY)):
        response = await cairn.http.get(f"/runs/{one}/compare", params={"with": other})
        refused(response, 404, NOBODY)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({}, "with"),
        ({"with": "nonsense"}, "with"),
        ({"with": NOBODY, "limit": "3"}, "limit"),
        ({"with_": NOBODY}, "with"),
        ([("with", NOBODY), ("with", NOBODY)], "with"),
    ],
)
async def test_a_query_that_is_wrong_is_refused_by_its_name(
    cairn: Cairn, query: Any, name: str
) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    problem = refused(await cairn.http.get(f"/runs/{run['id']}/compare", params=query), 422)
    assert ["query", name] in [error["where"] for error in problem["errors"]]


async def test_a_run_whose_head_is_damaged_is_said_to_be_damaged(
    cairn: Cairn, database: str
) -> None:
    run, other = [await cairn.completed("joke", {"topic": "math"}) for _ in range(2)]
    garbage = "x'00ff'" if database.startswith("sqlite") else r"'\x00ff'"
    damaged = f"UPDATE checkpoints SET delta = {garbage} WHERE seq = 3"
    execute(database, f"{damaged} AND run_id = {literal(database, run)}")
    for one, another in ((run, other), (other, run)):
        path = f"/runs/{one['id']}/compare"
        problem = refused(await cairn.http.get(path, params={"with": another["id"]}), 500)
        assert problem["type"] == "/problems/damaged"


async def test_events_that_are_damaged_are_compared_and_shown_as_they_can_be(
    cairn: Cairn, database: str
) -> None:
    run, other = [await cairn.completed("joke", {"topic": "math"}) for _ in range(2)]
    garbage = "x'00ff'" if database.startswith("sqlite") else r"'\x00ff'"
    damaged = f"UPDATE checkpoints SET output_event = {garbage} WHERE seq = 2"
    execute(database, f"{damaged} AND run_id = {literal(database, run)}")
    found = await compare(cairn, run, other)
    assert [it["output_event_equal"] for it in found["steps"]] == [True, False, True]
