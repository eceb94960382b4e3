"""Runs that are cancelled, and runs that wait for their turn."""

import asyncio
import time

import pytest

from tests.api.asking import Cairn

pytestmark = pytest.mark.databases(seldom=True)


async def test_a_run_cancelled_as_it_begins_executes_nothing_more(cairn: Cairn) -> None:
    for _ in range(20):
        run = await cairn.start("joke", {"topic": "math"})
        response = await cairn.http.post(f"/runs/{run['id']}/cancel")
        said = response.json()
        assert said["status"] in {"cancelled", "completed"}
        await asyncio.sleep(0.02)  # whatever went on in spite of it would show by then
        assert await cairn.get(f"/runs/{run['id']}") == said


async def test_a_cancelled_run_leaves_the_context_where_its_steps_had_brought_it(
    cairn: Cairn,
) -> None:
    context = await cairn.context("voting")
    run = await cairn.start("voting", {"votes": 5}, context)
    await cairn.until(run, "waiting")
    assert (await cairn.http.post(f"/runs/{run['id']}/cancel")).json()["status"] == "cancelled"
    later = await cairn.start("voting", {"votes": 7}, context)
    await cairn.until(later, "waiting")
    first = (await cairn.checkpoints(later))[0]
    whole = await cairn.get(f"/checkpoints/{first['id']}")
    assert whole["ctx_state"]["globals"]["votes"] == 5


async def test_who_waits_for_a_queued_run_waits_as_long_as_was_preferred(cairn: Cairn) -> None:
    context = await cairn.context("approval")
    before = await cairn.start("approval", {"amount": 1}, context)
    await cairn.until(before, "waiting")
    body = {"workflow": "approval", "start_event": {"amount": 2}, "context_id": context}
    began = time.monotonic()
    response = await cairn.http.post("/runs", json=body, headers={"Prefer": "wait=1"})
    assert (response.status_code, response.json()["status"]) == (202, "queued")
    assert time.monotonic() - began >= 1
    await cairn.tell(before, "Verdict", approved=True)
    await cairn.until(response.json(), "waiting")


async def test_a_start_event_nested_too_deep_to_be_stored_is_refused(cairn: Cairn) -> None:
    for depth in (101, 150):
        topic: object = "math"
        for _ in range(depth):
            topic = [topic]
        body = {"workflow": "joke", "start_event": {"topic": topic}}
        response = await cairn.http.post("/runs", json=body)
        assert response.status_code == 422
        assert "topic" in response.json()["detail"]
