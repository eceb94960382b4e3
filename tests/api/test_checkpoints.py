"""Checkpoints: listed, filtered, turned page by page, shown whole, rerun from."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest

from tests.api import gates
from tests.api.asking import NOBODY, Cairn, Json, read, refused, serving, steps
from tests.api.gates import open_gate, reached

pytestmark = pytest.mark.databases(seldom=True)

CHECKPOINT = {
    "id",
    "run_id",
    "context_id",
    "workflow",
    "seq",
    "parent_id",
    "last_completed_step",
    "input_event_type",
    "output_event_type",
    "name",
    "note",
    "tags",
    "created_at",
}


@pytest.fixture
async def run(cairn: Cairn) -> Json:
    """A completed run, with a dozen checkpoints and more."""
    return await cairn.completed("scatter", {"width": 5})


@pytest.fixture
async def joke(cairn: Cairn) -> Json:
    """A completed run, with three checkpoints."""
    return await cairn.completed("joke", {"topic": "math"})


def all_of(pages: list[list[Json]]) -> list[Json]:
    return [item for page in pages for item in page]


def lists(run: Json) -> list[str]:
    """Where the run's checkpoints are listed."""
    return [f"/runs/{run['id']}/checkpoints", f"/contexts/{run['context_id']}/checkpoints"]


# Listing


async def test_checkpoints_are_listed_newest_last(cairn: Cairn, run: Json) -> None:
    checkpoints = await cairn.checkpoints(run)
    assert [c["seq"] for c in checkpoints] == list(range(1, run["checkpoint_count"] + 1))
    times = [c["created_at"] for c in checkpoints]
    assert times == sorted(times)
    assert checkpoints[-1]["output_event_type"] == "StopEvent"


async def test_a_listed_checkpoint_has_these_fields(cairn: Cairn, run: Json) -> None:
    for checkpoint in await cairn.checkpoints(run):
        assert checkpoint.keys() == CHECKPOINT
        assert UUID(checkpoint["id"]).version == 7
        assert checkpoint["run_id"] == run["id"]
        assert checkpoint["context_id"] == run["context_id"]
        assert checkpoint["workflow"] == "scatter"


async def test_the_parent_of_a_checkpoint_is_the_one_before(cairn: Cairn, run: Json) -> None:
    checkpoints = await cairn.checkpoints(run)
    parents = [None, *(c["id"] for c in checkpoints)]
    assert [c["parent_id"] for c in checkpoints] == parents[:-1]


async def test_events_are_included_when_asked_for(cairn: Cairn, joke: Json) -> None:
    with_events = await cairn.checkpoints(joke, include="events")
    assert all(c.keys() == CHECKPOINT | {"input_event", "output_event"} for c in with_events)
    start = {"type": "StartEvent", "data": {"topic": "math"}}
    told = {"type": "JokeEvent", "data": {"joke": "a joke about math"}}
    stop = {"type": "StopEvent", "data": {"result": "a critique of a joke about math"}}
    assert [[c["input_event"], c["output_event"]] for c in with_events] == [
        [None, start],
        [start, told],
        [told, stop],
    ]
    for checkpoint in with_events:
        for which in ("input_event", "output_event"):
            kind = checkpoint.pop(which)
            assert checkpoint[f"{which}_type"] == (kind and kind["type"])
    assert with_events == await cairn.checkpoints(joke)


async def test_a_step_that_gives_nothing_leaves_its_checkpoint_too(cairn: Cairn, run: Json) -> None:
    [scatter] = await cairn.checkpoints(run, last_completed_step="scatter", include="events")
    assert (scatter["output_event_type"], scatter["output_event"]) == (None, None)
    gathered = await cairn.checkpoints(run, last_completed_step="gather")
    assert [c["output_event_type"] for c in gathered] == [None] * 4 + ["StopEvent"]


async def test_the_checkpoints_of_a_context_are_those_of_its_runs(cairn: Cairn) -> None:
    first = await cairn.completed("joke", {"topic": "math"})
    second = await cairn.completed("joke", {"topic": "art"}, first["context_id"])
    await cairn.completed("joke", {"topic": "elsewhere"})
    page = await cairn.get(f"/contexts/{first['context_id']}/checkpoints")
    assert page == {
        "items": [*await cairn.checkpoints(first), *await cairn.checkpoints(second)],
        "next_cursor": None,
    }


async def test_a_run_that_is_under_way_shows_the_checkpoints_it_has(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "g"})
    await reached("g")
    assert steps(await cairn.checkpoints(run)) == ["arrive"]
    assert (await cairn.get(f"/runs/{run['id']}"))["checkpoint_count"] == 2
    open_gate("g")
    await cairn.until(run, "completed")
    assert steps(await cairn.checkpoints(run)) == ["arrive", "stand"]


async def test_what_is_not_there_has_no_checkpoints(cairn: Cairn) -> None:
    for path in ("runs", "contexts"):
        refused(await cairn.http.get(f"/{path}/{NOBODY}/checkpoints"), 404, NOBODY)


# Filters


async def test_every_filter_gives_what_reading_all_would(cairn: Cairn, run: Json) -> None:
    everything = await cairn.checkpoints(run)
    for key in ("last_completed_step", "input_event_type", "output_event_type"):
        for value in {c[key] for c in everything} - {None}:
            wanted = [c for c in everything if c[key] == value]
            assert 0 < len(wanted) < len(everything)
            for path in lists(run):
                page = await cairn.get(path, **{key: value})
                assert page == {"items": wanted, "next_cursor": None}


async def test_filters_are_anded(cairn: Cairn, run: Json) -> None:
    both = {"last_completed_step": "gather", "output_event_type": "StopEvent"}
    assert len(await cairn.checkpoints(run, **both)) == 1
    assert await cairn.checkpoints(run, **both, input_event_type="Part") == []


@pytest.mark.parametrize("name", ["no_such_step", "Gather", "gath", "gather%", "", "\0", "ж"])
async def test_a_filter_that_matches_nothing_finds_nothing(
    cairn: Cairn, run: Json, name: str
) -> None:
    for path in lists(run):
        assert (await cairn.get(path, last_completed_step=name))["items"] == []


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"last_completed": "gather"}, "last_completed"),
        ({"last_completed_step": "gather", "stepp": "1"}, "stepp"),
        ({"Limit": "1"}, "Limit"),
        ({"include": "state"}, "include"),
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "two"}, "limit"),
        ({"limit": "1" * 40}, "limit"),
        ({"limit": ""}, "limit"),
    ],
)
async def test_an_unknown_filter_is_refused_by_its_name(
    cairn: Cairn, joke: Json, query: dict[str, str], name: str
) -> None:
    for path in lists(joke):
        problem = refused(await cairn.http.get(path, params=query), 422, name)
        assert name in str(problem["errors"])


# Pages


@pytest.mark.parametrize("limit", [1, 2, 4, 7, 16, 17, 18, 1000])
async def test_pages_show_every_checkpoint_once(cairn: Cairn, run: Json, limit: int) -> None:
    everything = await cairn.checkpoints(run)
    assert len(everything) == 12
    for path in lists(run):
        pages = await cairn.pages(path, limit=limit)
        assert all_of(pages) == everything
        assert all(len(page) == limit for page in pages[:-1])


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
async def test_pages_of_a_filtered_list_lose_and_repeat_nothing(
    cairn: Cairn, run: Json, limit: int
) -> None:
    filters = {"last_completed_step": "work", "include": "events"}
    wanted = await cairn.checkpoints(run, **filters)
    assert len(wanted) == 5
    for path in lists(run):
        pages = await cairn.pages(path, limit=limit, **filters)
        assert all_of(pages) == wanted
        assert all(len(page) == limit for page in pages[:-1])


async def test_pages_lose_nothing_when_runs_of_a_context_and_reruns_are_many(
    cairn: Cairn,
) -> None:
    context = await cairn.context("counter")
    runs = [await cairn.completed("counter", {}, context) for _ in range(4)]
    for source in runs[:2]:
        for checkpoint in (await cairn.checkpoints(source))[:2]:
            await cairn.until(await cairn.rerun(checkpoint), "completed")
    path = f"/contexts/{context}/checkpoints"
    everything = all_of([(await cairn.get(path, limit=1000))["items"]])
    for limit in (1, 3, 4):
        pages = await cairn.pages(path, limit=limit)
        assert all_of(pages) == everything
    assert len({c["id"] for c in everything}) == len(everything)
    times = [c["created_at"] for c in everything]
    assert times == sorted(times)


async def test_what_comes_while_one_turns_the_pages_comes_at_the_end(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "g"})
    await reached("g")
    path = f"/runs/{run['id']}/checkpoints"
    page = await cairn.get(path, limit=1)
    seen = page["items"]
    open_gate("g")
    await cairn.until(run, "completed")
    while page["next_cursor"]:
        page = await cairn.get(path, limit=1, cursor=page["next_cursor"])
        seen += page["items"]
    assert seen == await cairn.checkpoints(run)


@pytest.mark.parametrize(
    "cursor", ["", "nonsense", "1", "-1", "9" * 60, "%00", "\0", "ж", "e30=", "W10", NOBODY[:-1]]
)
async def test_a_cursor_that_no_page_gave_is_refused(cairn: Cairn, joke: Json, cursor: str) -> None:
    for path in [*lists(joke), "/runs"]:
        refused(await cairn.http.get(path, params={"cursor": cursor}), 422, "cursor")


async def test_the_cursor_of_another_list_is_refused_or_does_no_harm(
    cairn: Cairn, joke: Json, run: Json
) -> None:
    cursor = (await cairn.get("/runs", limit=1))["next_cursor"]
    assert cursor is not None
    for path in lists(joke):
        response = await cairn.http.get(path, params={"cursor": cursor})
        if response.status_code == 200:
            items = read(response)["items"]
            assert items == (await cairn.checkpoints(joke))[-len(items) :] or items == []
        else:
            refused(response, 422, "cursor")


# One


async def test_a_checkpoint_is_shown_with_the_state_at_that_point(cairn: Cairn) -> None:
    context = await cairn.context("counter")
    runs = [await cairn.completed("counter", {"by": 2}, context) for _ in range(3)]
    counts = []
    for run in runs:
        for listed in await cairn.checkpoints(run, include="events"):
            whole = await cairn.get(f"/checkpoints/{listed['id']}")
            state = whole.pop("ctx_state")
            assert whole == listed
            counts.append(state["globals"].get("count"))
    assert counts == [None, 2, 2, 2, 4, 4, 4, 6, 6]


async def test_a_checkpoint_shows_whether_its_run_was_under_way(cairn: Cairn, joke: Json) -> None:
    running = [
        (await cairn.get(f"/checkpoints/{c['id']}"))["ctx_state"]["is_running"]
        for c in await cairn.checkpoints(joke)
    ]
    assert running == [True, True, False]


async def test_a_checkpoint_that_was_never_left_is_not_there(cairn: Cairn) -> None:
    refused(await cairn.http.get(f"/checkpoints/{NOBODY}"), 404, NOBODY)


# Rerun


async def test_a_rerun_is_a_new_run_in_the_same_context(cairn: Cairn, joke: Json) -> None:
    checkpoints = await cairn.checkpoints(joke)
    response = await cairn.http.post(f"/checkpoints/{checkpoints[1]['id']}/rerun")
    assert response.status_code == 202
    rerun = read(response)
    assert rerun.keys() == joke.keys()
    assert response.headers["location"] == f"/runs/{rerun['id']}"
    assert rerun["id"] != joke["id"]
    ended = await cairn.until(rerun, "completed")
    for key in ("workflow", "context_id", "start_event", "result"):
        assert ended[key] == joke[key]
    assert await cairn.get(f"/runs/{joke['id']}") == joke
    assert await cairn.checkpoints(joke) == checkpoints


async def test_the_first_checkpoint_of_a_rerun_has_its_origin_for_a_parent(
    cairn: Cairn, joke: Json
) -> None:
    origin = (await cairn.checkpoints(joke))[1]
    rerun = await cairn.until(await cairn.rerun(origin), "completed")
    [left] = await cairn.checkpoints(rerun)
    assert left["parent_id"] == origin["id"]
    assert rerun["checkpoint_count"] == 1


async def test_a_rerun_of_a_rerun_knows_where_it_comes_from(cairn: Cairn, joke: Json) -> None:
    first = (await cairn.checkpoints(joke))[0]
    child = await cairn.until(await cairn.rerun(first), "completed")
    [told] = await cairn.checkpoints(child, last_completed_step="generate_joke")
    grandchild = await cairn.until(await cairn.rerun(told), "completed")
    for rerun, parent, origin in ((child, joke, first), (grandchild, child, told)):
        assert rerun["origin_checkpoint_id"] == origin["id"]
        assert rerun["parent_run_id"] == parent["id"]
        assert rerun["root_run_id"] == joke["id"]
        assert rerun["start_event"] == joke["start_event"]
        assert rerun["result"] == joke["result"]


async def test_a_rerun_from_any_checkpoint_gives_what_the_run_gave(cairn: Cairn, run: Json) -> None:
    checkpoints = await cairn.checkpoints(run)
    done = steps(checkpoints)
    for seq, checkpoint in enumerate(checkpoints[:-1]):
        rerun = await cairn.until(await cairn.rerun(checkpoint), "completed")
        assert rerun["result"] == run["result"]
        again = steps(checkpoints[: seq + 1]) + steps(await cairn.checkpoints(rerun))
        assert sorted(again) == sorted(done)


async def test_a_rerun_begins_with_the_state_of_its_checkpoint(cairn: Cairn) -> None:
    context = await cairn.context("counter")
    first, second, _ = [await cairn.completed("counter", {}, context) for _ in range(3)]
    for source, checkpoint in ((first, 0), (second, 0), (first, 1), (second, 1)):
        origin = (await cairn.checkpoints(source))[checkpoint]
        rerun = await cairn.until(await cairn.rerun(origin), "completed")
        assert rerun["result"] == source["result"]


async def test_a_context_stands_where_the_run_that_ended_last_left_it(cairn: Cairn) -> None:
    context = await cairn.context("counter")
    first, *_ = [await cairn.completed("counter", {}, context) for _ in range(3)]
    rerun = await cairn.rerun((await cairn.checkpoints(first))[0])
    assert (await cairn.until(rerun, "completed"))["result"] == 1
    assert (await cairn.completed("counter", {}, context))["result"] == 2


async def test_two_reruns_at_once_of_one_checkpoint_are_two_runs(cairn: Cairn) -> None:
    run = await cairn.completed("counter")
    origin = (await cairn.checkpoints(run))[0]
    gates.executed.clear()
    reruns = await asyncio.gather(*(cairn.rerun(origin) for _ in range(10)))
    assert len({rerun["id"] for rerun in reruns}) == 10
    for rerun in reruns:
        ended = await cairn.until(rerun, "completed")
        assert ended["result"] == run["result"]
        assert ended["origin_checkpoint_id"] == origin["id"]
        assert steps(await cairn.checkpoints(rerun)) == ["count", "tell"]


async def test_a_rerun_leaves_alone_what_is_under_way_in_its_context(cairn: Cairn) -> None:
    open_gate("first")
    first = await cairn.completed("slow", {"gate": "first"})
    second = await cairn.start("slow", {"gate": "second"}, first["context_id"])
    await reached("second")
    rerun = await cairn.rerun((await cairn.checkpoints(first))[1])
    open_gate("second")
    assert (await cairn.until(second, "completed"))["result"] == "through second"
    assert (await cairn.until(rerun, "completed"))["result"] == "through first"


async def test_a_run_waits_for_a_rerun_that_is_under_way_in_its_context(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "g"})
    await reached("g")
    await cairn.http.post(f"/runs/{run['id']}/cancel")
    await cairn.until(run, "cancelled")
    gates.forget()
    rerun = await cairn.rerun((await cairn.checkpoints(run))[-1])
    await reached("g")
    after = await cairn.start("slow", {"gate": "after"}, run["context_id"])
    assert (await cairn.get(f"/runs/{after['id']}"))["status"] == "queued"
    open_gate("g")
    await cairn.until(rerun, "completed")
    await reached("after")
    open_gate("after")
    await cairn.until(after, "completed")


async def test_a_run_that_is_under_way_may_be_rerun(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "g"})
    await reached("g")
    rerun = await cairn.rerun((await cairn.checkpoints(run))[-1])
    open_gate("g")
    assert (await cairn.until(run, "completed"))["result"] == "through g"
    assert (await cairn.until(rerun, "completed"))["result"] == "through g"


@pytest.mark.parametrize("workflow", ["approval", "mid_step"])
async def test_a_rerun_asks_again_or_has_its_answer_already(cairn: Cairn, workflow: str) -> None:
    run = await cairn.until(await cairn.start(workflow, {"amount": 7}), "waiting")
    await cairn.tell(run, "Verdict", approved=True, by="ann")
    run = await cairn.until(run, "completed")
    checkpoints = await cairn.checkpoints(run)
    [heard] = [
        c["seq"]
        for c in checkpoints
        if c["output_event_type"] == "Verdict" and c["last_completed_step"] is None
    ]
    for checkpoint in checkpoints[:-1]:
        rerun = await cairn.until(await cairn.rerun(checkpoint), "waiting", "completed")
        assert (rerun["status"] == "waiting") == (checkpoint["seq"] < heard)
        if rerun["status"] == "waiting":
            await cairn.tell(rerun, "Verdict", approved=True, by="ann")
            rerun = await cairn.until(rerun, "completed")
        assert rerun["result"] == run["result"]


async def test_there_is_nothing_left_to_run_from_the_stop_event(cairn: Cairn, joke: Json) -> None:
    stop = (await cairn.checkpoints(joke))[-1]
    refused(await cairn.http.post(f"/checkpoints/{stop['id']}/rerun"), 409)
    assert (await cairn.get("/runs"))["items"] == [joke]


async def test_a_checkpoint_that_was_never_left_is_not_rerun(cairn: Cairn) -> None:
    refused(await cairn.http.post(f"/checkpoints/{NOBODY}/rerun"), 404, NOBODY)


@pytest.mark.parametrize("body", [b"", b"{}", b"null"])
async def test_the_body_of_a_rerun_is_optional(cairn: Cairn, joke: Json, body: bytes) -> None:
    origin = (await cairn.checkpoints(joke))[1]
    kind = {"content-type": "application/json"} if body else {}
    response = await cairn.http.post(
        f"/checkpoints/{origin['id']}/rerun", content=body, headers=kind
    )
    assert response.status_code == 202, response.text
    await cairn.until(read(response), "completed")


@pytest.mark.parametrize(
    ("body", "word"), [({"step": "x"}, "step"), ([], "body"), ("now", "body"), (1, "body")]
)
async def test_an_option_that_a_rerun_does_not_have_is_refused_by_its_name(
    cairn: Cairn, joke: Json, body: object, word: str
) -> None:
    origin = (await cairn.checkpoints(joke))[1]
    refused(await cairn.http.post(f"/checkpoints/{origin['id']}/rerun", json=body), 422, word)
    assert (await cairn.get("/runs"))["items"] == [joke]


async def test_a_rerun_of_a_workflow_that_is_no_longer_there_is_refused(
    database: str, tmp_path: Path
) -> None:
    async with serving(database) as cairn:
        run = await cairn.completed("joke", {"topic": "math"})
        checkpoints = await cairn.checkpoints(run)
    empty = tmp_path / "empty"
    empty.mkdir()
    async with serving(database, empty) as cairn:
        assert await cairn.get(f"/runs/{run['id']}") == run
        assert await cairn.checkpoints(run) == checkpoints
        response = await cairn.http.post(f"/checkpoints/{checkpoints[1]['id']}/rerun")
        assert response.status_code in {404, 409}
        refused(response, response.status_code, "joke")
        whole = await cairn.get(f"/checkpoints/{checkpoints[1]['id']}")
        assert whole["output_event"]["data"] == {"joke": "a joke about math"}


CHAIN = """
from cairn import Event, StartEvent, StopEvent, Workflow, step

class Link(Event):
    length: int

class ChainFlow(Workflow):
    @step
    async def forge(self, ev: StartEvent) -> Link:
        return Link(length=3)

    @step
    async def hang(self, ev: Link) -> StopEvent:
        return StopEvent(result=ev.length)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Link", "Ring"),
        ("length: int", "length: int\n    colour: str"),
        ("length: int", "length: str"),
        ("hang", "drop"),
    ],
)
async def test_what_older_code_left_is_shown_and_its_rerun_is_refused_or_ends(
    database: str, tmp_path: Path, old: str, new: str
) -> None:
    folder = tmp_path / "workflows"
    folder.mkdir()
    (folder / "chain.py").write_text(CHAIN)
    async with serving(database, folder) as cairn:
        run = await cairn.completed("chain")
        left = await cairn.checkpoints(run, include="events")
    (folder / "chain.py").write_text(CHAIN.replace(old, new))
    async with serving(database, folder) as cairn:
        assert await cairn.get(f"/runs/{run['id']}") == run
        assert await cairn.checkpoints(run, include="events") == left
        for checkpoint in left:
            whole = await cairn.get(f"/checkpoints/{checkpoint['id']}")
            assert whole["output_event"] == checkpoint["output_event"]
        response = await cairn.http.post(f"/checkpoints/{left[1]['id']}/rerun")
        if response.status_code == 202:
            await cairn.ended(read(response))
        else:
            refused(response, 409)
        await cairn.ended(await cairn.start("chain", {}, run["context_id"]))
