"""The stream of a run: what steps wrote, checkpoints, statuses and failed attempts."""

import asyncio
import json
from typing import Any

import pytest

from tests.api.asking import NOBODY, Cairn, Json, refused, serving
from tests.api.deleting import delete
from tests.api.gates import BOUND, open_gate, reached

pytestmark = pytest.mark.databases

SSE, NDJSON = {"Accept": "text/event-stream"}, {"Accept": "application/x-ndjson"}


async def entries(cairn: Cairn, run: Json, **query: Any) -> list[Json]:
    """All that there is of the stream, page by page."""
    path, found, more = f"/runs/{run['id']}/events", list[Json](), dict[str, Any]()
    while True:
        page = await cairn.get(path, **query, **more)
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        more = {"cursor": page["next_cursor"]}


async def watched(cairn: Cairn, run: Json, headers: Json, **query: Any) -> list[Json]:
    """The entries that a watcher is sent until the run ends."""
    path = f"/runs/{run['id']}/events"
    async with asyncio.timeout(BOUND):
        response = await cairn.http.get(path, headers=headers, params=query)
    assert response.status_code == 200, response.text
    if headers["Accept"] == NDJSON["Accept"]:
        return [json.loads(line) for line in response.text.splitlines() if line]
    found = []
    for block in response.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        if fields:
            entry = json.loads(fields["data"])
            assert (fields["id"], fields["event"]) == (entry["position"], entry["event"])
            found.append(entry)
    return found


def shown(found: list[Json]) -> list[str]:
    """The entries in short."""

    def short(entry: Json) -> str:
        match entry["event"]:
            case "stream":
                return f"{entry['data']['data']['n']} by {entry['step']} {entry['attempt']}"
            case "checkpoint":
                return f"after {entry['checkpoint']['last_completed_step']}"
            case "status":
                return str(entry["status"])
        return f"failed {entry['step']} {entry['attempt']}"

    return [short(entry) for entry in found]


WHOLE = [
    "running",
    "after None",
    "0 by speak 1",
    "1 by speak 1",
    "2 by speak 1",
    "3 by speak 1",
    "after speak",
    "-1 by end 1",
    "after end",
    "completed",
]


async def test_the_stream_of_a_run_has_all_that_it_did_in_order(cairn: Cairn) -> None:
    run = await cairn.completed("streaming")
    found = await entries(cairn, run)
    assert shown(found) == WHOLE
    positions = [[*map(int, entry["position"].split("."))] for entry in found]
    assert positions == sorted(positions)
    assert found[3]["data"] == {"type": "Word", "data": {"n": 1, "text": "w" * 400}}
    for headers in (SSE, NDJSON):
        assert await watched(cairn, run, headers) == found


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_of_any_size_make_the_same_stream(cairn: Cairn, limit: int) -> None:
    run = await cairn.completed("streaming", {"words": 7})
    assert await entries(cairn, run, limit=limit) == await entries(cairn, run, limit=1000)


async def test_the_stream_goes_on_after_any_position(cairn: Cairn) -> None:
    run = await cairn.completed("streaming")
    found = await entries(cairn, run)
    for number, entry in enumerate(found, 1):
        position = entry["position"]
        assert await entries(cairn, run, after=position) == found[number:]
        assert await watched(cairn, run, NDJSON, after=position) == found[number:]
        later = await watched(cairn, run, SSE | {"Last-Event-ID": position})
        assert later == found[number:]


async def test_a_watcher_is_sent_what_a_step_writes_while_it_is_under_way(cairn: Cairn) -> None:
    run = await cairn.start("streaming", {"gate": "live"})
    await reached("live")
    async with asyncio.timeout(BOUND):
        while len(found := await entries(cairn, run)) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert shown(found) == WHOLE[:5]
    page = await cairn.get(f"/runs/{run['id']}/events")
    assert not page["is_over"]
    watching = [asyncio.create_task(watched(cairn, run, kind)) for kind in (SSE, NDJSON) * 5]
    await asyncio.sleep(0)
    open_gate("live")
    for each in watching:
        assert shown(await each) == WHOLE


async def test_what_a_failed_attempt_wrote_is_marked_and_the_attempt_is_kept(cairn: Cairn) -> None:
    run = await cairn.completed("streaming", {"words": 1, "fails": 2})
    found = await entries(cairn, run)
    assert shown(found)[2:8] == [
        "0 by speak 1",
        "failed speak 1",
        "0 by speak 2",
        "failed speak 2",
        "0 by speak 3",
        "1 by speak 3",
    ]
    failed = [entry for entry in found if entry["event"] == "attempt"]
    assert [each["error"] for each in failed] == [
        {"type": "ConnectionError", "message": f"failure {n}"} for n in (1, 2)
    ]
    assert all(each["next_at"] > each["at"] for each in failed)
    listed = await cairn.get(f"/runs/{run['id']}/attempts")
    assert (listed["items"], listed["run_id"]) == (failed, run["id"])
    paged = await cairn.get(f"/runs/{run['id']}/attempts", limit=1)
    rest = await cairn.get(f"/runs/{run['id']}/attempts", cursor=paged["next_cursor"])
    assert [*paged["items"], *rest["items"]] == failed


async def test_the_last_failure_of_a_run_is_kept_too(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("streaming", {"fails": 9, "words": 0}), "failed")
    listed = (await cairn.get(f"/runs/{run['id']}/attempts"))["items"]
    assert [each["attempt"] for each in listed] == [1, 2, 3, 4, 5]
    assert listed[-1]["next_at"] is None
    assert shown(await entries(cairn, run))[-1] == "failed"


async def test_the_begin_and_the_end_of_a_wait_are_statuses(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("mid_step", {"amount": 2}), "waiting")
    assert shown(await entries(cairn, run))[-1] == "waiting"
    watching = asyncio.create_task(watched(cairn, run, SSE))
    await cairn.tell(run, "Verdict", approved=True)
    statuses = [e["status"] for e in await watching if e["event"] == "status"]
    assert statuses == ["running", "waiting", "running", "completed"]


async def test_retries_count_on_in_a_later_process_and_what_was_interrupted_is_marked(
    database: str,
) -> None:
    async with serving(database, drain_seconds=0) as cairn:
        start = {"words": 1, "fails": 1, "gate": "killed"}
        run = await cairn.start("streaming", start)
        await reached("killed")
    open_gate("killed")
    async with serving(database) as cairn:
        await cairn.until(run, "completed")
        found = await entries(cairn, run)
    assert shown(found)[2:9] == [
        "0 by speak 1",
        "failed speak 1",
        "0 by speak 2",
        "failed speak 2",
        "0 by speak 3",
        "1 by speak 3",
        "after speak",
    ]
    errors = [e["error"]["type"] for e in found if e["event"] == "attempt"]
    assert errors == ["ConnectionError", "Interrupted"]


async def test_a_silent_stream_shows_that_it_is_alive(database: str) -> None:
    async with serving(database, heartbeat_seconds=0.1, drain_seconds=0) as cairn:
        run = await cairn.start("streaming", {"words": 0, "gate": "silent"})
        await reached("silent")
        watching = asyncio.create_task(cairn.http.get(f"/runs/{run['id']}/events", headers=SSE))
        await asyncio.sleep(0.5)
        open_gate("silent")
        assert (await watching).text.count(": alive") >= 2


async def test_many_entries_are_written_some_at_a_time_and_none_is_lost(cairn: Cairn) -> None:
    run = await cairn.start("streaming", {"words": 5_000})
    beside = await cairn.completed("joke", {"topic": "math"})
    assert beside["status"] == "completed"
    await cairn.until(run, "completed")
    words = [
        e["data"]["data"]["n"]
        for e in await entries(cairn, run, limit=1000)
        if e["event"] == "stream"
    ]
    assert words == [*range(5_001), -1]


async def test_steps_that_write_beside_each_other_keep_their_order_for_all_watchers(
    cairn: Cairn,
) -> None:
    run = await cairn.start("flood")
    live = await watched(cairn, run, NDJSON)
    late = await entries(cairn, run, limit=1000)
    assert live == late
    for text, number in (("flood", 2_000), ("trickle", 200)):
        words = [e["data"]["data"] for e in live if e["event"] == "stream"]
        assert [each["n"] for each in words if each["text"] == text] == [*range(number)]


async def test_the_stream_is_deleted_with_its_run(cairn: Cairn) -> None:
    run = await cairn.completed("streaming", {"words": 700})
    assert (await delete(cairn, "runs", run["id"])).status_code == 204
    for kind in ({}, SSE, NDJSON):
        response = await cairn.http.get(f"/runs/{run['id']}/events", headers=kind)
        refused(response, 404, run["id"])


async def test_what_is_no_position_is_refused(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    path = f"/runs/{run['id']}/events"
    refused(await cairn.http.get(path, params={"after": "1.²"}), 422, "after")
    for text in ("x", "1", "1.2.3", "-1.0", "9999999999.1"):
        refused(await cairn.http.get(path, params={"after": text}), 422, "after", "position")
        answer = await cairn.http.get(path, headers=SSE | {"Last-Event-ID": text})
        refused(answer, 422, "Last-Event-ID")
    refused(await cairn.http.get(path, params={"cursor": "x"}), 422)
    refused(await cairn.http.get(f"/runs/{NOBODY}/attempts"), 404)
