"""A run is waited for until it has a later checkpoint."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from cairn.executor import poller
from tests.api.asking import NOBODY, Cairn, Json, refused, serving
from tests.api.gates import BOUND, open_gate, reached

pytestmark = pytest.mark.databases(seldom=True)


def wait(cairn: Cairn, run: Json, **query: Any) -> "asyncio.Task[httpx.Response]":
    """A client that waits for the run."""
    return asyncio.create_task(cairn.http.get(f"/runs/{run['id']}", params=query))


async def answer(waiting: "asyncio.Task[httpx.Response]") -> Json:
    """What a client gets that waits for long, and comes soon."""
    async with asyncio.timeout(BOUND):
        response = await waiting
    assert response.status_code == 200, response.text
    shown: Json = response.json()
    return shown


@pytest.fixture
async def standing(cairn: Cairn) -> AsyncIterator[Json]:
    """A run that stands in its second step, with two checkpoints."""
    run = await cairn.start("slow", {"gate": "here"})
    await reached("here")
    yield await cairn.get(f"/runs/{run['id']}")
    open_gate("here")
    await cairn.ended(run)


async def test_who_waits_for_a_checkpoint_has_it_as_soon_as_it_is_there(cairn: Cairn) -> None:
    run = await cairn.start("approval", {"amount": 1})
    last = 0
    for _ in range(2):  # its start, and the step that asks
        shown = await answer(wait(cairn, run, wait=300, after_seq=last))
        assert shown["checkpoint_count"] > last
        last = max(shown["checkpoint_count"], 1)
        if last == 2:
            break
    assert last == 2
    waiting = wait(cairn, run, wait=300, after_seq=last)
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done, "the run waits, and has no later checkpoint"
    await cairn.tell(run, "Verdict", approved=True)
    assert (await answer(waiting))["checkpoint_count"] > last


async def test_a_step_in_the_midst_of_a_run_wakes_who_waits_for_its_checkpoint(
    cairn: Cairn, standing: Json
) -> None:
    seq = standing["checkpoint_count"]
    assert standing["status"] == "running"
    at_once = await answer(wait(cairn, standing, wait=300, after_seq=seq - 1))
    assert at_once == standing
    voting = await cairn.until(await cairn.start("voting", {"votes": 2}), "waiting")
    of_other = wait(cairn, standing, wait=300, after_seq=seq)
    waiting = [wait(cairn, voting, wait=300, after_seq=voting["checkpoint_count"])] * 20
    await asyncio.wait([of_other], timeout=0.2)
    await cairn.tell(voting, "Verdict", approved=True)
    for shown in await asyncio.gather(*map(answer, waiting)):
        assert shown["checkpoint_count"] > voting["checkpoint_count"]
    assert not of_other.done(), "each run wakes its own clients"
    open_gate("here")
    assert (await answer(of_other))["checkpoint_count"] == seq + 1


async def test_the_end_of_a_run_is_waited_for_no_longer_than_it_takes(
    cairn: Cairn, standing: Json
) -> None:
    waiting = wait(cairn, standing, wait=300, after_seq=1_000)
    await asyncio.wait([waiting], timeout=0.2)
    response = await cairn.http.post(f"/runs/{standing['id']}/cancel")
    assert response.json()["status"] == "cancelled"
    assert (await answer(waiting))["status"] == "cancelled"
    again = await answer(wait(cairn, standing, wait=300, after_seq=1_000))
    assert again["status"] == "cancelled"


async def test_after_the_time_the_run_is_shown_as_it_stands(cairn: Cairn, standing: Json) -> None:
    since = time.monotonic()
    response = await wait(cairn, standing, wait=0.3, after_seq=1_000)
    assert response.json() == standing
    assert response.headers["preference-applied"] == "wait=0.3"
    assert time.monotonic() - since >= 0.3
    response = await wait(cairn, standing, after_seq=1_000)
    assert response.json() == standing, "without a time, nothing is waited for"
    assert "preference-applied" not in response.headers


async def test_a_preference_waits_for_a_checkpoint_too(cairn: Cairn, standing: Json) -> None:
    seq = standing["checkpoint_count"]
    path, headers = f"/runs/{standing['id']}?after_seq={seq}", {"Prefer": "wait=300"}
    waiting = asyncio.create_task(cairn.http.get(path, headers=headers))
    await asyncio.wait([waiting], timeout=0.2)
    assert not waiting.done()
    open_gate("here")
    assert (await answer(waiting))["checkpoint_count"] > seq


async def test_a_wait_alone_is_for_the_end_or_for_a_question(cairn: Cairn) -> None:
    run = await cairn.start("approval", {"amount": 1})
    asks = await answer(wait(cairn, run, wait=300))
    if asks["status"] != "waiting":  # it had waited before it was asked
        asks = await cairn.until(run, "waiting")
    waiting = wait(cairn, run, wait=300)
    await asyncio.wait([waiting], timeout=0.2)
    await cairn.tell(run, "Verdict", approved=True)
    assert (await answer(waiting))["status"] == "completed"


async def test_who_waits_for_a_checkpoint_counts_as_any_who_waits(database: str) -> None:
    async with serving(database, max_waiters=1) as cairn:
        run = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
        first = wait(cairn, run, wait=300, after_seq=1_000)
        await asyncio.wait([first], timeout=0.3)
        second = await wait(cairn, run, wait=300, after_seq=1_000)
        assert second.headers["preference-applied"] == "wait=0"
        await cairn.tell(run, "Verdict", approved=True)
        assert (await answer(first))["status"] == "completed"


async def test_a_run_that_was_resumed_and_has_no_view_in_memory_wakes_its_clients(
    cairn: Cairn,
) -> None:
    run = await cairn.until(await cairn.start("voting", {"votes": 3}), "waiting")
    for _ in range(3):
        seq = (await cairn.get(f"/runs/{run['id']}"))["checkpoint_count"]
        waiting = wait(cairn, run, wait=300, after_seq=seq)
        await asyncio.wait([waiting], timeout=0.1)
        await cairn.tell(run, "Verdict", approved=True)
        assert (await answer(waiting))["checkpoint_count"] > seq
        await cairn.until(run, "waiting", "completed")


async def test_a_run_that_another_process_drives_is_noticed_within_its_rounds(
    cairn: Cairn, standing: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To the poller and to who waits, a run is elsewhere if it is not driven here.
    seq = standing["checkpoint_count"]
    monkeypatch.setattr("cairn.executor.worker.Worker.drives", lambda *_: False)
    monkeypatch.setattr("cairn.executor.worker.Worker.view", lambda *_: None)
    monkeypatch.setattr("cairn.executor.notifier.Notifier.is_followed", lambda *_: False)
    notified = []
    monkeypatch.setattr(
        "cairn.executor.driven_run.DrivenRun._end", lambda *_: notified.append("not told")
    )
    waiting = wait(cairn, standing, wait=300, after_seq=seq)
    await asyncio.wait([waiting], timeout=2 * poller.ROUND_SECONDS)
    assert not waiting.done()
    open_gate("here")
    assert (await answer(waiting))["checkpoint_count"] > seq
    assert notified


@pytest.mark.parametrize(
    ("name", "value"),
    [("wait", "301"), ("wait", "-1"), ("wait", "nan"), ("after_seq", "-1"), ("after_seq", "x")],
)
async def test_no_wait_is_longer_than_a_preferred_one(cairn: Cairn, name: str, value: str) -> None:
    problem = refused(await cairn.http.get(f"/runs/{NOBODY}", params={name: value}), 422)
    assert problem["errors"][0]["where"] == ["query", name]
    refused(await cairn.http.get(f"/runs/{NOBODY}", params={"wait": 1, "after_seq": 0}), 404)
