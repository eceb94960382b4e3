"""The notebook's cells over HTTP."""

import pytest

from tests.api import gates
from tests.api.asking import Cairn, Json, steps

pytestmark = pytest.mark.databases

TOPICS = ("chemistry", "biology", "physics")


@pytest.fixture
async def context(cairn: Cairn) -> str:
    """The context in which the notebook has run three topics."""
    context = await cairn.context("joke")
    for topic in TOPICS:
        await cairn.completed("joke", {"topic": topic}, context)
    return context


async def found(cairn: Cairn, context: str, **filters: str) -> list[Json]:
    page = await cairn.get(f"/contexts/{context}/checkpoints", **filters)
    assert page["next_cursor"] is None
    items: list[Json] = page["items"]
    return items


async def test_a_context_is_made_and_shown(cairn: Cairn) -> None:
    response = await cairn.http.post("/contexts", json={"workflow": "joke"})
    assert response.status_code == 201
    made = response.json()
    assert made["workflow"] == "joke"
    assert await cairn.get(f"/contexts/{made['id']}") == made
    assert await found(cairn, made["id"]) == []


async def test_one_run_leaves_three_checkpoints(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    assert run["result"] == "a critique of a joke about math"
    assert run["checkpoint_count"] == 3
    checkpoints = await found(cairn, run["context_id"])
    shown = ["last_completed_step", "input_event_type", "output_event_type"]
    assert [[c[key] for key in shown] for c in checkpoints] == [
        [None, None, "StartEvent"],
        ["generate_joke", "StartEvent", "JokeEvent"],
        ["critique_joke", "JokeEvent", "StopEvent"],
    ]


async def test_three_runs_in_one_context_leave_nine_checkpoints(cairn: Cairn, context: str) -> None:
    checkpoints = await found(cairn, context, include="events")
    assert len({c["id"] for c in checkpoints}) == 9
    starts = [c["output_event"]["data"] for c in checkpoints[::3]]
    assert starts == [{"topic": topic} for topic in TOPICS]


async def test_three_checkpoints_have_the_stop_event(cairn: Cairn, context: str) -> None:
    stops = await found(cairn, context, output_event_type="StopEvent", include="events")
    assert [c["output_event"] for c in stops] == [
        {"type": "StopEvent", "data": {"result": f"a critique of a joke about {topic}"}}
        for topic in TOPICS
    ]


async def test_three_checkpoints_were_left_by_the_first_step(cairn: Cairn, context: str) -> None:
    jokes = await found(cairn, context, last_completed_step="generate_joke", include="events")
    assert [c["output_event"] for c in jokes] == [
        {"type": "JokeEvent", "data": {"joke": f"a joke about {topic}"}} for topic in TOPICS
    ]


async def test_filters_are_anded(cairn: Cairn, context: str) -> None:
    async def jokes(**more: str) -> list[Json]:
        return await found(cairn, context, last_completed_step="generate_joke", **more)

    assert len(await jokes()) == 3
    assert await jokes(output_event_type="JokeEvent") == await jokes()
    assert (
        await jokes(input_event_type="StartEvent", output_event_type="JokeEvent") == await jokes()
    )
    assert await jokes(output_event_type="StopEvent") == []
    assert await jokes(input_event_type="JokeEvent", output_event_type="JokeEvent") == []


async def test_a_rerun_executes_one_step_and_leaves_the_tenth_checkpoint(
    cairn: Cairn, context: str
) -> None:
    joke = (await found(cairn, context, last_completed_step="generate_joke"))[0]
    gates.executed.clear()
    rerun = await cairn.until(await cairn.rerun(joke), "completed")
    assert rerun["result"] == "a critique of a joke about chemistry"
    assert gates.executed == ["critique_joke"]
    assert steps(await cairn.checkpoints(rerun)) == ["critique_joke"]
    checkpoints = await found(cairn, context)
    assert len(checkpoints) == 10
    assert checkpoints[-1]["run_id"] == rerun["id"]


async def test_a_rerun_from_the_first_checkpoint_is_one_ordinary_run(
    cairn: Cairn, context: str
) -> None:
    start = (await found(cairn, context))[3]
    assert start["last_completed_step"] is None
    gates.executed.clear()
    rerun = await cairn.until(await cairn.rerun(start), "completed")
    assert rerun["result"] == "a critique of a joke about biology"
    assert rerun["start_event"] == {"topic": "biology"}
    assert gates.executed == ["generate_joke", "critique_joke"]
    assert steps(await cairn.checkpoints(rerun)) == ["generate_joke", "critique_joke"]


async def test_a_checkpoint_is_shown_whole(cairn: Cairn, context: str) -> None:
    listed = (await found(cairn, context, include="events"))[1]
    whole = await cairn.get(f"/checkpoints/{listed['id']}")
    state = whole.pop("ctx_state")
    assert whole == listed
    assert state.keys() == {
        "globals",
        "streaming_queue",
        "queues",
        "stepwise",
        "events_buffer",
        "accepted_events",
        "broker_log",
        "is_running",
    }
