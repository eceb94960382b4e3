"""A rerun that drops: what was in flight at its checkpoint is left out."""

import asyncio
from typing import Any

import pytest

from cairn import (
    Context,
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowIdleEvent,
    WorkflowRuntimeError,
    step,
)
from tests.engine.flows.asking import Answer, Question
from tests.engine.flows.in_flight import Beside, Members, Slow, Ticked, amid, first_worked, numbers
from tests.engine.flows.sending import Chain, Done, Loop, Part
from tests.engine.tools.runs import (
    BOUND,
    ended,
    own,
    rerun_everywhere,
    state,
    through_json,
    until,
    until_true,
    waiting,
)


class Racing(Beside):
    """A slow step adds to what the others count."""

    begins = (Slow(n=100), Slow(n=200))

    @step
    async def slow(self, ctx: Context, ev: Slow) -> None:
        self.executed["slow"] += 1
        ctx.send_event(Done(n=ev.n))
        await ctx.set("count", await ctx.get("count", default=0) + ev.n)
        await until(self.opened)

    @step
    async def count(self, ctx: Context, ev: Ticked) -> Part:
        await ctx.set("count", await ctx.get("count", default=0) + 1)
        return Part(n=1)

    @step
    async def note(self, ctx: Context, ev: Done) -> None:
        await ctx.set("noted", [*await ctx.get("noted", default=[]), ev.n])

    @step
    async def end(self, ctx: Context, ev: Part) -> StopEvent:
        await until_true(lambda: self.executed["slow"] == 2)
        return StopEvent(result=await ctx.get("count"))


@pytest.mark.parametrize("carried", [lambda _, c: c, through_json], ids=["as it is", "as JSON"])
async def test_a_dropped_step_is_not_executed_and_nothing_of_it_is_kept(carried: Any) -> None:
    workflow = Racing()
    source = workflow.run()
    await ended(source)
    checkpoint = carried(workflow, amid(source))
    rerun = workflow.run_from(checkpoint, in_flight="drop")
    assert await ended(rerun) == 1
    assert state(own(rerun)[-1]) == {"count": 1}
    assert workflow.executed["slow"] == 2


async def test_the_source_of_a_dropping_rerun_stays_as_it_is() -> None:
    workflow = Racing()
    source = workflow.run()
    await ended(source)
    before = [c.model_dump_json() for c in own(source)]
    await ended(workflow.run_from(amid(source), ctx=source.ctx, in_flight="drop"))
    assert [c.model_dump_json() for c in own(source)] == before


@pytest.mark.parametrize("carried", [lambda _, c: c, through_json], ids=["as it is", "as JSON"])
async def test_a_batch_closes_without_those_of_its_members_that_are_dropped(carried: Any) -> None:
    workflow = Members()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2]
    rerun = workflow.run_from(carried(workflow, first_worked(source)), in_flight="drop")
    assert await ended(rerun) == [0]
    assert workflow.executed["work"] == 3


class Half(Event):
    n: int


class Halves(Workflow):
    """A list within a list: the halves of a part are gathered, then the parts."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()

    @step
    async def begin(self, ev: StartEvent) -> list[Part]:
        return [Part(n=0), Part(n=10)]

    @step
    async def split(self, ev: Part) -> list[Half]:
        return [Half(n=ev.n + 1), Half(n=ev.n + 2)]

    @step
    async def work(self, ev: Half) -> Ticked:
        if ev.n != 1:
            await until(self.opened)
        self.opened.set()
        return Ticked(n=ev.n)

    @step
    async def join(self, ev: list[Ticked]) -> Done:
        return Done(n=sum(numbers(ev)))

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=numbers(ev))


async def test_a_batch_in_a_batch_closes_without_what_is_dropped() -> None:
    workflow = Halves()
    source = workflow.run()
    assert await ended(source) == [3, 23]
    rerun = workflow.run_from(first_worked(source), in_flight="drop")
    assert await ended(rerun) == [1, 0]


class Standing(Beside):
    """Nothing but the slow step leads to the end."""

    begins = (Slow(n=1),)

    @step
    async def slow(self, ctx: Context, ev: Slow) -> StopEvent:
        await until(self.opened)
        answer = await ctx.wait_for_event(Answer, waiter_event=Question())
        return StopEvent(result=(ev.n, answer.word))


async def test_a_rerun_in_which_everything_is_dropped_waits_for_an_event() -> None:
    workflow = Standing()
    source = workflow.run()
    rerun = workflow.run_from(await waiting(source), in_flight="drop")
    async with asyncio.timeout(BOUND):
        async for event in rerun.stream_events(expose_internal=True):
            if isinstance(event, WorkflowIdleEvent):
                break
    assert not rerun.is_done()
    assert rerun.snapshot is not None
    assert rerun.snapshot.pending() == []
    rerun.send_event(Slow(n=2))
    rerun.send_event(Answer(word="yes"))
    assert await ended(rerun) == (2, "yes")
    await source.cancel_run()


async def test_where_nothing_is_in_flight_nothing_is_dropped() -> None:
    for workflow in (Chain(), Loop()):
        source = workflow.run()
        await ended(source)
        await rerun_everywhere(workflow, source, in_flight="drop")


async def test_what_becomes_of_what_is_in_flight_has_three_answers() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    with pytest.raises(WorkflowRuntimeError, match="'rerun', 'adopt' or 'drop', not 'again'"):
        workflow.run_from(own(source)[1], in_flight="again")  # type: ignore[arg-type]
