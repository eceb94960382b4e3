"""Code that changes under runs that wait, or that are rerun: nothing is lost, and all is said."""

import pytest

from tests.api.asking import refused
from tests.api.files import Serve, serve

__all__ = ["serve"]

HEAD = """
from cairn import (
    Context, Event, HumanResponseEvent, InputRequiredEvent, StartEvent, StopEvent, Workflow, step,
)

class Question(InputRequiredEvent):
    text: str

class Verdict(HumanResponseEvent):
    approved: bool

class Ranked(Event):
    score: int
"""
ASKING = (
    HEAD
    + """
class Approval(Workflow):
    @step
    async def ask(self, ev: StartEvent) -> Question:
        return Question(text="pay?")

    @step
    async def decide(self, ev: Verdict) -> StopEvent:
        return StopEvent(result=ev.approved)
"""
)
NO_LONGER_DECIDING = (
    HEAD
    + """
class Noted(Event):
    pass

class Approval(Workflow):
    types = (Verdict,)

    @step
    async def ask(self, ev: StartEvent) -> Question | Noted:
        return Question(text="pay?")

    @step
    async def decide(self, ev: Noted) -> StopEvent:
        return StopEvent(result="noted")
"""
)
KEEPING = (
    HEAD
    + """
class Approval(Workflow):
    types = (Verdict,)

    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
        await ctx.wait_for_event(Verdict, requirements={"approved": False})
        return StopEvent(result="refused")
"""
)
RANKING = (
    HEAD
    + """
class Rag(Workflow):
    @step
    async def fetch(self, ev: StartEvent) -> Ranked:
        return Ranked(score=1)

    @step
    async def rank(self, ctx: Context, ev: Ranked) -> StopEvent:
        return StopEvent(result=f"ranked {ev.score}")
"""
)


async def test_an_answer_that_no_step_takes_any_more_is_refused_and_not_lost(serve: Serve) -> None:
    said = {"type": "Verdict", "data": {"approved": True}}
    async with serve(ASKING) as cairn:
        run = await cairn.until(await cairn.start("approval"), "waiting")
    async with serve(NO_LONGER_DECIDING) as cairn:
        response = await cairn.http.post(f"/runs/{run['id']}/events", json=said)
        refused(response, 409, "It waits for: nothing.", "Its steps take: Noted.")
    async with serve(ASKING) as cairn:
        await cairn.tell(run, "Verdict", approved=True)
        assert (await cairn.until(run, "completed"))["result"] is True


async def test_an_event_that_nothing_waits_for_is_refused_with_what_is_waited_for(
    serve: Serve,
) -> None:
    async with serve(ASKING) as cairn:
        run = await cairn.until(await cairn.start("approval"), "waiting")
        said = {"type": "HumanResponseEvent", "data": {"response": "yes"}}
        response = await cairn.http.post(f"/runs/{run['id']}/events", json=said)
        refused(response, 409, "HumanResponseEvent", "It waits for: Verdict", "take: Verdict")
        await cairn.tell(run, "Verdict", approved=False)
        assert (await cairn.until(run, "completed"))["result"] is False


async def test_what_was_kept_unclaimed_is_given_to_the_step_that_takes_it_later(
    serve: Serve,
) -> None:
    async with serve(KEEPING) as cairn:
        run = await cairn.until(await cairn.start("approval"), "waiting")
        await cairn.tell(run, "Verdict", approved=True)  # such events it waits for, but not this
        await cairn.until(run, "waiting")
    taking = KEEPING + (
        "    @step\n    async def decide(self, ev: Verdict) -> StopEvent:\n"
        "        return StopEvent(result=f'approved: {ev.approved}')\n"
    )
    async with serve(taking) as cairn:
        assert (await cairn.until(run, "completed"))["result"] == "approved: True"
        assert [c["seq"] for c in await cairn.checkpoints(run)] == [1, 2, 3, 4, 5]


async def test_a_rerun_onto_a_step_that_is_gone_names_the_steps_and_an_earlier_checkpoint(
    serve: Serve,
) -> None:
    async with serve(RANKING) as cairn:
        run = await cairn.completed("rag")
        first, second, _ = await cairn.checkpoints(run)
    async with serve(RANKING.replace("def rank", "def order")) as cairn:
        response = await cairn.http.post(f"/checkpoints/{second['id']}/rerun")
        refused(response, 409, "'rank'", "fetch, order", "@step(was='rank')", first["id"])
        rerun = await cairn.ended(await cairn.rerun(first))
        assert rerun["result"] == "ranked 1"


@pytest.mark.parametrize("was", ["'rank'", "['sort', 'rank']"])
async def test_a_step_takes_over_what_is_pending_for_the_name_that_it_had(
    serve: Serve, was: str
) -> None:
    async with serve(RANKING) as cairn:
        run = await cairn.completed("rag")
        _, second, _ = await cairn.checkpoints(run)
    renamed = RANKING.replace("@step\n    async def rank", f"@step(was={was})\n    async def order")
    async with serve(renamed) as cairn:
        rerun = await cairn.ended(await cairn.rerun(second))
        assert rerun["result"] == "ranked 1"
        assert [c["last_completed_step"] for c in await cairn.checkpoints(rerun)] == ["order"]


async def test_a_field_that_a_stored_event_lacks_says_how_to_give_it_a_default(
    serve: Serve,
) -> None:
    async with serve(RANKING) as cairn:
        run = await cairn.completed("rag")
        _, second, _ = await cairn.checkpoints(run)
    stricter = RANKING.replace("    score: int\n", "    score: int\n    model: str\n")
    stricter = stricter.replace("Ranked(score=1)", "Ranked(score=1, model='m')")
    async with serve(stricter) as cairn:
        failed = await cairn.ended(await cairn.rerun(second))
        assert failed["status"] == "failed"
        assert "Give model a default in the class" in failed["error"]["message"]
    async with serve(stricter.replace("    model: str\n", "    model: str = ''\n")) as cairn:
        assert (await cairn.ended(await cairn.rerun(second)))["result"] == "ranked 1"


FIELDS = (
    HEAD
    + """
class Search(StartEvent):
    query: str
    top_k: int = 2

class Open(StartEvent):
    model_config = {"extra": "allow"}
    query: str

class Closed(Workflow):
    @step
    async def search(self, ev: Search) -> StopEvent:
        return StopEvent(result=ev.top_k)

class Opened(Workflow):
    @step
    async def search(self, ev: Open) -> StopEvent:
        return StopEvent(result=ev.topk)

class Dynamic(Workflow):
    @step
    async def search(self, ev: StartEvent) -> StopEvent:
        return StopEvent(result=ev.topk)
"""
)


async def test_a_field_that_a_declared_event_does_not_have_is_refused_with_the_near_name(
    serve: Serve,
) -> None:
    async with serve(FIELDS) as cairn:
        body = {"workflow": "closed", "start_event": {"query": "a", "topk": 5}}
        problem = refused(await cairn.http.post("/runs", json=body), 422, "Did you mean 'top_k'?")
        assert problem["errors"][0]["where"] == ["body", "start_event", "topk"]
        for name in ("opened", "dynamic"):
            run = await cairn.completed(name, {"query": "a", "topk": 5})
            assert run["result"] == 5
