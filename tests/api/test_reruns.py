"""Reruns over HTTP: at a checkpoint or a step of a run, with the changes that the engine takes."""

import asyncio
from typing import Any

import pytest

from tests.api.asking import NOBODY, Cairn, Json, refused, steps
from tests.api.gates import BOUND, executed, mended, open_gate, reached

pytestmark = pytest.mark.databases


async def rerun(cairn: Cairn, checkpoint: Json, **changes: Any) -> Json:
    """The rerun from that checkpoint, once it has ended."""
    return await asked(cairn, f"/checkpoints/{checkpoint['id']}/rerun", **changes)


async def asked(cairn: Cairn, path: str, **changes: Any) -> Json:
    response = await cairn.http.post(path, json=changes, headers={"Prefer": "wait=10"})
    assert response.status_code == 200, response.text
    return dict(response.json())


@pytest.fixture
async def joke(cairn: Cairn) -> Json:
    return await cairn.completed("joke", {"topic": "math"})


@pytest.fixture
async def beside(cairn: Cairn) -> Json:
    """A run in which `quick` and the first `add` completed while `stand` was under way."""
    run = await cairn.start("beside", {"gate": "beside"})
    await reached("beside")
    async with asyncio.timeout(BOUND):
        while len(await cairn.checkpoints(run)) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    open_gate("beside")
    return await cairn.until(run, "completed")


async def at(cairn: Cairn, run: Json, step: str) -> Json:
    (found, *_) = await cairn.checkpoints(run, last_completed_step=step)
    return found


async def test_another_event_stands_for_the_one_that_the_step_gave(
    cairn: Cairn, joke: Json
) -> None:
    wrote = await at(cairn, joke, "generate_joke")
    event = {"type": "JokeEvent", "data": {"joke": "mine"}}
    again = await rerun(cairn, wrote, output_event=event)
    assert again["result"] == "a critique of mine"
    assert (again["parent_run_id"], again["origin_checkpoint_id"]) == (joke["id"], wrote["id"])
    assert steps(await cairn.checkpoints(again)) == ["critique_joke"]
    assert (await cairn.get(f"/runs/{joke['id']}"))["result"] == joke["result"]


async def test_the_step_itself_is_executed_again_on_its_event_or_another(
    cairn: Cairn, joke: Json
) -> None:
    first, wrote, last = await cairn.checkpoints(joke)
    again = await rerun(cairn, last, when="before")
    assert again["result"] == joke["result"]
    assert again["origin_checkpoint_id"] == wrote["id"]
    assert steps(await cairn.checkpoints(again)) == ["critique_joke"]
    event = {"type": "StartEvent", "data": {"topic": "cats"}}
    other = await rerun(cairn, wrote, when="before", input_event=event)
    assert "cats" in other["result"]
    assert other["origin_checkpoint_id"] == first["id"]


async def test_the_state_is_patched_as_rfc_7396_says(cairn: Cairn, beside: Json) -> None:
    begun = await at(cairn, beside, "begin")
    assert beside["result"] == [11, 11, "plain"]
    patch = {"count": 5, "notes": {"tone": "dry", "by": None}, "new": [1]}
    again = await rerun(cairn, begun, state=patch)
    assert again["result"] == [11, 16, "dry"]
    last = (await cairn.checkpoints(again))[-1]
    state = (await cairn.get(f"/checkpoints/{last['id']}"))["ctx_state"]["globals"]
    assert state == {"count": 16, "notes": {"tone": "dry"}, "new": [1]}
    gone = await rerun(cairn, await at(cairn, beside, "quick"), state={"count": None})
    assert gone["result"][0] == 11


async def test_what_was_in_flight_is_executed_again_adopted_or_dropped(
    cairn: Cairn, beside: Json
) -> None:
    quick = await at(cairn, beside, "quick")
    for how, again in (("rerun", ["add", "add", "stand"]), ("adopt", ["add", "add"])):
        executed.clear()
        run = await rerun(cairn, quick, in_flight=how)
        assert run["result"] == beside["result"] == [11, 11, "plain"], how
        assert sorted(executed) == again
        assert sorted(steps(await cairn.checkpoints(run))) == ["add", "add", "stand"]
    response = await cairn.http.post(
        f"/checkpoints/{quick['id']}/rerun", json={"in_flight": "drop"}
    )
    dropped = await cairn.until(response.json(), "waiting")
    assert steps(await cairn.checkpoints(dropped)) == ["add"]


async def test_adopted_results_can_complete_the_rerun(cairn: Cairn, beside: Json) -> None:
    added = await at(cairn, beside, "add")
    executed.clear()
    run = await rerun(cairn, added, in_flight="adopt", output_event=None)
    assert run["result"] == [11, 11, "plain"]
    assert executed == ["add"]


async def test_every_checkpoint_of_such_a_rerun_is_rerun_in_turn(
    cairn: Cairn, beside: Json
) -> None:
    run = await rerun(cairn, await at(cairn, beside, "begin"), state={"count": 5})
    for checkpoint in (await cairn.checkpoints(run))[:-1]:
        for how in ("rerun", "adopt"):
            again = await rerun(cairn, checkpoint, in_flight=how)
            assert again["result"] == run["result"] == [11, 16, "plain"]
        if checkpoint["last_completed_step"]:
            before = await rerun(cairn, checkpoint, when="before")
            assert before["result"] == run["result"]


async def test_a_rerun_can_have_a_context_of_its_own_and_words(cairn: Cairn, beside: Json) -> None:
    begun = await at(cairn, beside, "begin")
    words = {"name": "dry", "note": "on a whim", "tags": ["b", "a"]}
    run = await rerun(cairn, begun, context="copy", **words)
    assert run["context_id"] != beside["context_id"]
    assert (run["name"], run["note"], run["tags"]) == ("dry", "on a whim", ["a", "b"])
    assert run["result"] == beside["result"]
    shown = await cairn.get(f"/contexts/{run['context_id']}/checkpoints")
    assert {c["run_id"] for c in shown["items"]} == {run["id"]}
    seen = await cairn.get(f"/runs/{run['id']}")
    assert (seen["name"], seen["note"], seen["tags"]) == ("dry", "on a whim", ["a", "b"])


async def test_a_run_is_rerun_at_a_step_or_at_its_head(cairn: Cairn, beside: Json) -> None:
    path = f"/runs/{beside['id']}/rerun"
    adds = await cairn.checkpoints(beside, last_completed_step="add")
    first = await asked(cairn, path, **{"from": {"step": "add", "occurrence": 1}})
    assert first["origin_checkpoint_id"] == adds[0]["id"]
    last = await asked(cairn, path, **{"from": {"step": "stand"}})
    assert last["origin_checkpoint_id"] == (await at(cairn, beside, "stand"))["id"]
    inherited = await asked(cairn, f"/runs/{last['id']}/rerun", **{"from": {"step": "quick"}})
    assert inherited["origin_checkpoint_id"] == (await at(cairn, beside, "quick"))["id"]
    ended = await cairn.http.post(path)
    refused(ended, 409, "had ended", "before")
    for number in (3, -3):
        gone = await cairn.http.post(path, json={"from": {"step": "add", "occurrence": number}})
        refused(gone, 404, "add", "begin", "quick", "stand")
    refused(await cairn.http.post(path, json={"from": {"step": "ad"}}), 404, "begin, quick")
    refused(await cairn.http.post(path, json={"from": {"step": "add", "occurrence": 0}}), 422)
    refused(await cairn.http.post(f"/runs/{NOBODY}/rerun"), 404)
    refused(await cairn.http.post(f"/runs/{NOBODY}/rerun", json={"from": {"step": "add"}}), 404)


async def test_a_failed_run_goes_on_from_its_head_once_its_code_is_mended(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("failing", {"fault": "disk"}), "failed")
    mended.add("disk")
    again = await asked(cairn, f"/runs/{run['id']}/rerun")
    assert again["status"] == "completed"
    assert again["parent_run_id"] == run["id"]


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"output_event": {"type": "StartEvent"}}, 422, ["output_event", "JokeEvent"]),
        ({"output_event": {"type": "Nonsense"}}, 422, ["Nonsense", "JokeEvent"]),
        ({"output_event": {"type": "JokeEvent", "data": {"jok": 1}}}, 422, ["jok", "joke"]),
        ({"input_event": {"type": "StartEvent"}}, 422, ["input_event", "before"]),
        (
            {"when": "before", "input_event": {"type": "JokeEvent", "data": {"joke": "a"}}},
            422,
            ["generate_joke", "StartEvent"],
        ),
        (
            {"when": "before", "output_event": {"type": "JokeEvent", "data": {"joke": "a"}}},
            422,
            ["output_event", "input_event"],
        ),
        ({"when": "amid"}, 422, ["when"]),
        ({"in_flight": "keep"}, 422, ["in_flight"]),
        ({"context": "new"}, 422, ["context"]),
        ({"state": [1]}, 422, ["state"]),
        ({"colour": "red"}, 422, ["colour"]),
    ],
)
async def test_a_change_that_does_not_fit_is_refused_and_nothing_is_begun(
    cairn: Cairn, joke: Json, changes: Json, status: int, words: list[str]
) -> None:
    wrote = await at(cairn, joke, "generate_joke")
    response = await cairn.http.post(f"/checkpoints/{wrote['id']}/rerun", json=changes)
    refused(response, status, *words)
    assert len((await cairn.get("/runs"))["items"]) == 1


async def test_the_first_checkpoint_has_no_step_to_execute_again(cairn: Cairn, joke: Json) -> None:
    (first, *_) = await cairn.checkpoints(joke)
    path = f"/checkpoints/{first['id']}/rerun"
    refused(await cairn.http.post(path, json={"when": "before"}), 422, "no step")
    event = {"type": "StartEvent", "data": {"topic": "cats"}}
    assert "cats" in (await rerun(cairn, first, output_event=event))["result"]


async def test_a_repeated_request_makes_one_rerun(cairn: Cairn, beside: Json) -> None:
    quick = await at(cairn, beside, "quick")
    path, body = f"/checkpoints/{quick['id']}/rerun", {"in_flight": "adopt", "name": "once"}
    key = {"Idempotency-Key": "k"}
    one, two = [await cairn.http.post(path, json=body, headers=key) for _ in range(2)]
    assert one.json()["id"] == two.json()["id"]
    other = await cairn.http.post(path, json={"in_flight": "rerun"}, headers=key)
    refused(other, 409, "used for another body")
    assert len((await cairn.get("/runs"))["items"]) == 2
