"""The questions of all runs, and answers to questions that somebody has answered."""

import asyncio
from typing import Any

import httpx
import pytest

from cairn.store import pages
from tests.api.asking import NOBODY, Cairn, Json, refused
from tests.api.files import Serve, serve
from tests.api.gates import BOUND, open_gate, reached

__all__ = ["serve"]

pytestmark = pytest.mark.databases(seldom=True)

PANEL = """
from cairn import Context, Event, HumanResponseEvent, InputRequiredEvent, StartEvent, StopEvent
from cairn import Workflow, step
from tests.api.gates import gates

class Seat(Event):
    who: str

class Call(InputRequiredEvent):
    who: str

class Vote(HumanResponseEvent):
    who: str
    text: str = ""

class Voted(Event):
    who: str

class Panel(Workflow):
    @step
    async def seat(self, ctx: Context, ev: StartEvent) -> Seat | None:
        await ctx.set("number", len(ev.names))
        for name in ev.names:
            ctx.send_event(Seat(who=name))
        return None

    @step(num_workers=20)
    async def ask(self, ctx: Context, ev: Seat) -> Voted:
        vote = await ctx.wait_for_event(
            Vote, waiter_id=ev.who, waiter_event=Call(who=ev.who), requirements={"who": ev.who},
            timeout=None
        )
        return Voted(who=vote.who)

    @step
    async def count(self, ctx: Context, ev: Voted) -> StopEvent | None:
        voted = ctx.collect_events(ev, [Voted] * await ctx.get("number"))
        return None if voted is None else StopEvent(result=sorted(it.who for it in voted))

class Held(Workflow):
    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> Voted:
        vote = await ctx.wait_for_event(Vote, timeout=None)
        return Voted(who=vote.who)

    @step
    async def hold(self, ctx: Context, ev: Voted) -> StopEvent:
        await gates["held"].stand()
        return StopEvent(result=ev.who)

class Early(Workflow):
    @step
    async def stand(self, ctx: Context, ev: StartEvent) -> StopEvent:
        await gates["early"].stand()
        votes = [(await ctx.wait_for_event(Vote, timeout=None)).who for _ in range(2)]
        return StopEvent(result=votes)
"""


async def listed(cairn: Cairn, **query: Any) -> list[Json]:
    """The questions, of all pages."""
    return [item for page in await cairn.pages("/waiting", **query) for item in page]


async def vote(cairn: Cairn, run: Json, who: str) -> httpx.Response:
    """The answer to an event for the run."""
    body = {"type": "Vote", "data": {"who": who}}
    return await cairn.http.post(f"/runs/{run['id']}/events", json=body)


# The list


async def test_each_question_is_listed_with_its_run_and_with_where_the_answer_goes(
    cairn: Cairn,
) -> None:
    assert await cairn.get("/waiting") == {"items": [], "next_cursor": None}
    first = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
    await cairn.completed("joke", {"topic": "math"})
    second = await cairn.until(await cairn.start("mid_step", {"amount": 2}), "waiting")
    items = await listed(cairn)
    assert items == [
        run["waiting_for"][0]
        | {
            "run_id": run["id"],
            "workflow": run["workflow"],
            "context_id": run["context_id"],
            "answer": {"method": "POST", "path": f"/runs/{run['id']}/events"},
        }
        for run in (first, second)
    ]
    assert await listed(cairn, workflow="mid_step") == items[1:]
    assert await listed(cairn, context_id=first["context_id"]) == items[:1]
    both = {"workflow": "mid_step", "context_id": first["context_id"]}
    assert await listed(cairn, **both) == []
    assert await listed(cairn, workflow="a\0b") == []
    for item in items:
        target = item["answer"]
        answer = {"type": item["type"], "data": {"approved": True}}
        response = await cairn.http.request(target["method"], target["path"], json=answer)
        assert response.status_code == 202
        await cairn.until({"id": item["run_id"]}, "completed")
    assert await listed(cairn) == []


async def test_a_run_of_several_questions_is_on_as_many_pages_as_it_takes(serve: Serve) -> None:
    async with serve(PANEL) as cairn:
        names = ["Ann", "Bob", "Cy", "Di", "Eve"]
        runs = [
            await cairn.until(await cairn.start("panel", {"names": some}), "waiting")
            for some in (names, ["Flo"], names[:3])
        ]
        whole = await listed(cairn)
        assert [it["run_id"] for it in whole] == [
            run["id"] for run in runs for _ in run["waiting_for"]
        ]
        assert len(whole) == 9
        of_first = [(it["since"], it["question"]["data"]["who"]) for it in whole[:5]]
        assert {who for _, who in of_first} == set(names)
        assert [since for since, _ in of_first] == sorted(since for since, _ in of_first)
        for limit in (1, 2, 4, 5, 6, 9):
            of_pages = await cairn.pages("/waiting", limit=limit)
            assert [it for page in of_pages for it in page] == whole
            assert {len(page) for page in of_pages[:-1]} <= {limit}
        page = await cairn.get("/waiting", limit=2)
        for name in names:  # all are answered between two pages
            await vote(cairn, runs[0], name)
        await cairn.until(runs[0], "completed")
        rest = await listed(cairn, cursor=page["next_cursor"])
        assert rest == whole[5:]


async def test_a_page_ends_where_the_questions_are_large(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGE_BYTES", 20_000)
    async with serve(PANEL) as cairn:
        for letter in "abc":
            start = {"names": [letter * 9_000]}
            await cairn.until(await cairn.start("panel", start), "waiting")
        found = await cairn.pages("/waiting")
        assert [len(page) for page in found] == [1, 1, 1]


async def test_a_run_with_an_unread_message_is_left_out(serve: Serve) -> None:
    async with serve(PANEL) as cairn:
        run = await cairn.until(await cairn.start("panel", {"names": ["Ann", "Bob"]}), "waiting")
        app = cairn.http._transport.app  # type: ignore[attr-defined]
        worker = app.state.service.runs._worker
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "tell", lambda *_: None)  # nobody drives the run so far
            patch.setattr(worker, "wake", lambda *_: None)
            assert (await vote(cairn, run, "Ann")).status_code == 202
            assert (await cairn.get(f"/runs/{run['id']}"))["status"] == "waiting"
            assert await listed(cairn) == []
        async with asyncio.timeout(BOUND):  # the poller finds the message
            while not (items := await listed(cairn)):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert [it["question"]["data"]["who"] for it in items] == ["Bob"]


async def test_only_cursors_of_the_list_are_taken(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    runs = (await cairn.get("/runs", limit=1, order="created_at"))["next_cursor"]
    assert runs is None
    await cairn.completed("joke", {"topic": run["id"]})
    other = (await cairn.get("/runs", limit=1, order="created_at"))["next_cursor"]
    for cursor in (other, "nope", "MDE5OA=="):
        response = await cairn.http.get("/waiting", params={"cursor": cursor})
        assert refused(response, 422)["type"] == "/problems/invalid-cursor"
    refused(await cairn.http.get("/waiting", params={"context_id": "nope"}), 422, "context_id")
    assert await listed(cairn, context_id=NOBODY) == []


# Answers to what has been answered


async def test_of_two_clients_that_answer_at_once_one_is_refused(cairn: Cairn) -> None:
    body = {"type": "Verdict", "data": {"approved": True}}
    for _ in range(5):
        run = await cairn.until(await cairn.start("mid_step", {"amount": 7}), "waiting")
        path = f"/runs/{run['id']}/events"
        both = await asyncio.gather(*(cairn.http.post(path, json=body) for _ in range(2)))
        assert sorted(response.status_code for response in both) == [202, 409]
        [late] = [response for response in both if response.status_code == 409]
        kind = refused(late, 409)["type"].removeprefix("/problems/")
        assert kind in ("question-answered", "run-ended")
        assert (await cairn.until(run, "completed"))["result"] == "7 paid"


async def test_a_run_that_has_not_read_its_answer_takes_no_other(serve: Serve) -> None:
    async with serve(PANEL) as cairn:
        run = await cairn.until(await cairn.start("held"), "waiting")
        app = cairn.http._transport.app  # type: ignore[attr-defined]
        worker = app.state.service.runs._worker
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(worker, "tell", lambda *_: None)
            patch.setattr(worker, "wake", lambda *_: None)
            both = await asyncio.gather(vote(cairn, run, "Ann"), vote(cairn, run, "Bob"))
        assert sorted(response.status_code for response in both) == [202, 409]
        [late] = [response for response in both if response.status_code == 409]
        told = refused(late, 409, "does not wait for a Vote any more", "has been answered")
        assert told["type"] == "/problems/question-answered"
        open_gate("held")
        [taken] = [who for who, it in zip(("Ann", "Bob"), both, strict=True) if it != late]
        assert (await cairn.until(run, "completed"))["result"] == taken


async def test_a_run_that_goes_on_after_its_answer_takes_no_other(serve: Serve) -> None:
    async with serve(PANEL) as cairn:
        run = await cairn.until(await cairn.start("held"), "waiting")
        assert (await vote(cairn, run, "Ann")).status_code == 202
        await reached("held")  # the step that waited has completed
        late = refused(await vote(cairn, run, "Bob"), 409)
        assert late["type"] == "/problems/question-answered"
        open_gate("held")
        assert (await cairn.until(run, "completed"))["result"] == "Ann"
        late = refused(await vote(cairn, run, "Bob"), 409)
        assert late["type"] == "/problems/run-ended"


async def test_questions_of_one_kind_are_all_answered_at_once_and_none_twice(serve: Serve) -> None:
    async with serve(PANEL) as cairn:
        names = [f"voter {n}" for n in range(8)]
        run = await cairn.until(await cairn.start("panel", {"names": names}), "waiting")
        answers = await asyncio.gather(*(vote(cairn, run, who) for who in names))
        assert [response.status_code for response in answers] == [202] * len(names)
        refused(await vote(cairn, run, names[0]), 409)
        assert (await cairn.until(run, "completed"))["result"] == names


async def test_an_event_that_comes_before_its_question_is_kept_as_ever(serve: Serve) -> None:
    async with serve(PANEL) as cairn:
        run = await cairn.start("early")
        await reached("early")
        for who in ("Ann", "Bob"):
            assert (await vote(cairn, run, who)).status_code == 202
        open_gate("early")
        assert (await cairn.until(run, "completed"))["result"] == ["Ann", "Bob"]


async def test_a_rerun_from_before_the_answer_can_be_answered_anew(serve: Serve) -> None:
    async with serve(PANEL) as cairn:
        run = await cairn.until(await cairn.start("held"), "waiting")
        await vote(cairn, run, "Ann")
        open_gate("held")
        await cairn.until(run, "completed")
        checkpoints = await cairn.checkpoints(run)
        before = next(it["seq"] for it in checkpoints if it["output_event_type"] == "Vote") - 2
        rerun = await cairn.until(await cairn.rerun(checkpoints[before]), "waiting")
        assert (await vote(cairn, rerun, "Bob")).status_code == 202
        assert (await cairn.until(rerun, "completed"))["result"] == "Bob"


async def test_an_answer_that_a_step_takes_is_taken_as_often_as_it_comes(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("voting", {"votes": 3}), "waiting")
    body = {"type": "Verdict", "data": {"approved": True}}
    path = f"/runs/{run['id']}/events"
    all_ = await asyncio.gather(*(cairn.http.post(path, json=body) for _ in range(3)))
    assert [response.status_code for response in all_] == [202] * 3
    await cairn.until(run, "completed")
