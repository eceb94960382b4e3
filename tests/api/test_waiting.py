"""Runs that wait: what for, until when, and how they are waited for."""

import asyncio
import time
from datetime import datetime
from typing import Any

import pytest
from sqlmodel import Session

from cairn.store import claims, run_views
from tests.api.asking import Cairn, serving
from tests.api.files import Serve, serve

__all__ = ["serve"]

TIMED = """
from cairn import Context, HumanResponseEvent, StartEvent, StopEvent, Workflow, step

class Word(HumanResponseEvent):
    said: str

class Timed(Workflow):
    @step
    async def wait(self, ctx: Context, ev: StartEvent) -> StopEvent:
        try:
            word = await ctx.wait_for_event(Word, requirements={"said": "yes"}, timeout=ev.seconds)
        except TimeoutError:
            return StopEvent(result="late")
        return StopEvent(result=word.said)

class Twice(Workflow):
    @step
    async def wait(self, ctx: Context, ev: StartEvent) -> StopEvent:
        words = [(await ctx.wait_for_event(Word, timeout=None)).said for _ in range(2)]
        return StopEvent(result=words)
"""


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("workflow", ["approval", "mid_step"])
async def test_a_run_that_waits_says_for_what(cairn: Cairn, workflow: str) -> None:
    run = await cairn.until(await cairn.start(workflow, {"amount": 7}), "waiting")
    [listed] = (await cairn.get("/runs", status="waiting"))["items"]
    assert listed["waiting_for"] == run["waiting_for"]
    [asked] = run["waiting_for"]
    assert asked["type"] == "Verdict"
    assert asked["schema"]["required"] == ["approved"]
    assert asked["question"] == {"type": "Question", "data": {"text": "pay 7?"}}
    assert asked["deadline"] is None
    assert moment(run["created_at"]) <= moment(asked["since"])
    await cairn.tell(run, "Verdict", approved=True)
    assert (await cairn.until(run, "completed"))["waiting_for"] == []


@pytest.mark.databases(seldom=True)
async def test_an_answered_question_is_not_asked_any_more(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("voting", {"votes": 2}), "waiting")
    assert [it["question"]["type"] for it in run["waiting_for"]] == ["Question"]
    await cairn.tell(run, "Verdict", approved=True)
    async with asyncio.timeout(10):
        while True:
            seen_ = await cairn.until(run, "waiting")
            if seen_["checkpoint_count"] > run["checkpoint_count"]:
                break
    assert [(it["type"], it["question"]) for it in seen_["waiting_for"]] == [("Verdict", None)]


async def test_a_preference_to_wait_ends_when_the_run_begins_to_wait(cairn: Cairn) -> None:
    since = time.monotonic()
    body = {"workflow": "mid_step", "start_event": {"amount": 7}}
    response = await cairn.http.post("/runs", json=body, headers={"Prefer": "wait=300"})
    assert response.status_code == 202
    assert response.headers["Preference-Applied"] == "wait=300"
    assert response.json()["status"] == "waiting"
    assert response.json()["waiting_for"][0]["type"] == "Verdict"
    assert time.monotonic() - since < 100, "it was not waited for to the end"


async def test_who_waits_for_a_waiting_run_is_told_of_its_end(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 7}), "waiting")
    path, patient = f"/runs/{run['id']}", {"Prefer": "wait=300"}
    waiting = [asyncio.create_task(cairn.http.get(path, headers=patient)) for _ in range(20)]
    done, _ = await asyncio.wait(waiting, timeout=0.3)
    assert not done, "it waited before, and does so still"
    await cairn.tell(run, "Verdict", approved=True)
    for response in await asyncio.gather(*waiting):
        assert response.json()["status"] == "completed"


async def test_who_waits_is_told_when_the_run_waits_for_something_else(serve: Serve) -> None:
    async with serve(TIMED) as cairn:
        run = await cairn.until(await cairn.start("twice"), "waiting")
        patient = {"Prefer": "wait=300"}
        waiting = asyncio.create_task(cairn.http.get(f"/runs/{run['id']}", headers=patient))
        await asyncio.wait([waiting], timeout=0.2)
        await cairn.tell(run, "Word", said="one")
        again = (await waiting).json()
        assert again["status"] == "waiting"
        assert again["checkpoint_count"] > run["checkpoint_count"]
        await cairn.tell(run, "Word", said="two")
        assert (await cairn.until(run, "completed"))["result"] == ["one", "two"]


async def test_many_who_wait_for_a_waiting_run_read_it_once_each(
    cairn: Cairn, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 7}), "waiting")
    reads = 0
    find = run_views.find

    def counted(session: Session, *args: Any) -> Any:
        nonlocal reads
        reads += 1
        return find(session, *args)

    monkeypatch.setattr(run_views, "find", counted)
    path, patient = f"/runs/{run['id']}", {"Prefer": "wait=300"}
    waiting = [asyncio.create_task(cairn.http.get(path, headers=patient)) for _ in range(50)]
    await asyncio.wait(waiting, timeout=2.5)
    assert reads == 50
    await cairn.tell(run, "Verdict", approved=True)
    assert {r.json()["status"] for r in await asyncio.gather(*waiting)} == {"completed"}


async def test_beyond_the_bound_nobody_waits(database: str) -> None:
    async with serving(database, max_waiters=1) as cairn:
        run = await cairn.until(await cairn.start("approval", {"amount": 7}), "waiting")
        path, patient = f"/runs/{run['id']}", {"Prefer": "wait=300"}
        first = asyncio.create_task(cairn.http.get(path, headers=patient))
        await asyncio.wait([first], timeout=0.3)
        second = await cairn.http.get(path, headers=patient)
        assert second.headers["Preference-Applied"] == "wait=0"
        assert second.json()["status"] == "waiting"
        await cairn.tell(run, "Verdict", approved=True)
        assert (await first).json()["status"] == "completed"


@pytest.mark.parametrize("seconds", [0.5, 4.0])
async def test_the_time_of_a_wait_goes_on_while_no_process_is_there(
    serve: Serve, seconds: float
) -> None:
    since = time.monotonic()
    async with serve(TIMED) as cairn:
        run = await cairn.until(await cairn.start("timed", {"seconds": seconds}), "waiting")
        [asked] = run["waiting_for"]
        assert asked["requirements"] == {"said": "yes"}
        between = moment(asked["deadline"]) - moment(asked["since"])
        assert between.total_seconds() == pytest.approx(seconds)
    await asyncio.sleep(1.0)
    async with serve(TIMED) as cairn:
        if seconds > 1:
            again = await cairn.get(f"/runs/{run['id']}")
            assert again["waiting_for"] == run["waiting_for"]
        ended = await cairn.until(run, "completed")
    assert ended["result"] == "late"
    assert time.monotonic() - since >= seconds
    assert moment(ended["finished_at"]) >= moment(asked["deadline"])
    late = moment(ended["finished_at"]) - moment(asked["deadline"])
    assert late.total_seconds() < seconds + 1.0 + 5.0, "its time was not begun anew"


async def test_a_rerun_has_all_the_time_that_a_wait_may_take(serve: Serve) -> None:
    async with serve(TIMED) as cairn:
        run = await cairn.until(await cairn.start("timed", {"seconds": 1.0}), "completed")
        asked = (await cairn.checkpoints(run))[1]
        rerun = await cairn.until(await cairn.rerun(asked), "waiting", "completed")
        ended = await cairn.until(rerun, "completed")
        took = moment(ended["finished_at"]) - moment(ended["created_at"])
        assert took.total_seconds() >= 0.9


async def test_nobody_takes_up_a_run_that_only_waits(database: str) -> None:
    async with serving(database) as cairn:
        await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
        run = await cairn.until(await cairn.start("mid_step", {"amount": 2}), "waiting")
    async with serving(database) as cairn:
        app = cairn.http._transport.app  # type: ignore[attr-defined]
        reader = app.state.service._database
        assert await reader.read(claims.orphaned, {"approval", "mid_step"}) == []
        await cairn.tell(run, "Verdict", approved=True)
        assert (await cairn.until(run, "completed"))["result"] == "2 paid"
