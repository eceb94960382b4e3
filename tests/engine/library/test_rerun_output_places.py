"""A rerun with other data where there are several: equals, takers, members of a list."""

from collections.abc import Callable

import pytest

from cairn import (
    Checkpoint,
    Context,
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    step,
)
from tests.engine.flows.in_flight import Beside, Slow, Ticked, amid, numbers
from tests.engine.flows.sending import Diamond, Done, Left, Part, Right
from tests.engine.tools.runs import ended, own, state, through_json, until

Carried = Callable[[Workflow, Checkpoint], Checkpoint]
CARRIED = pytest.mark.parametrize(
    "carried", [lambda _, c: c, through_json], ids=["as it is", "as JSON"]
)


@CARRIED
async def test_of_equal_events_only_the_one_that_was_returned_is_replaced(carried: Carried) -> None:
    class Equal(Workflow):
        @step
        async def scatter(self, ctx: Context, ev: StartEvent) -> Part:
            ctx.send_event(Part(n=1))
            ctx.send_event(Part(n=1), step="work")
            return Part(n=1)

        @step
        async def work(self, ev: Part) -> Done:
            return Done(n=ev.n)

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            done = ctx.collect_events(ev, [Done] * 3)
            return None if done is None else StopEvent(result=numbers(done))

    workflow = Equal()
    source = workflow.run()
    assert await ended(source) == [1, 1, 1]
    scattered = carried(workflow, own(source)[1])
    assert await ended(workflow.run_from(scattered, output_event=Part(n=7))) == [1, 1, 7]


class Repeating(Beside):
    """An event is still pending when a step gives an equal one."""

    begins = (Part(n=1), Slow(n=1))

    @step
    async def slow(self, ctx: Context, ev: Slow) -> Part:
        return Part(n=1)

    @step
    async def work(self, ctx: Context, ev: Part) -> StopEvent | None:
        await until(self.opened)
        parts = ctx.collect_events(ev, [Part, Part])
        return None if parts is None else StopEvent(result=numbers(parts))


async def test_an_equal_event_that_was_pending_before_is_not_replaced() -> None:
    workflow = Repeating()
    source = workflow.run()
    assert await ended(source) == [1, 1]
    given = next(c for c in own(source) if c.last_completed_step == "slow")
    rerun = workflow.run_from(given, output_event=Part(n=7))
    assert await ended(rerun) == [1, 7]


@CARRIED
async def test_an_event_that_two_steps_take_is_replaced_for_both(carried: Carried) -> None:
    workflow = Diamond()
    source = workflow.run(n=3)
    assert await ended(source) == [4, 5]
    begun = carried(workflow, own(source)[1])
    rerun = workflow.run_from(begun, output_event=Part(n=10))
    assert await ended(rerun) == [11, 12]
    assert state(own(rerun)[-1]) == {"left": 10, "right": 10}


async def test_an_event_that_one_of_two_steps_has_taken_by_then_stays_as_it_is_there() -> None:
    workflow = Diamond()
    source = workflow.run(n=3)
    await ended(source)
    left = next(c for c in own(source) if c.last_completed_step == "left")
    rerun = workflow.run_from(left, output_event=Left(n=10))
    assert await ended(rerun) == [10, 5]


class Half(Event):
    n: int


class Listed(Workflow):
    """Works on a list, in one step or in two."""

    @step
    async def begin(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step
    async def work(self, ev: Part) -> Half | Done:
        return Half(n=ev.n)

    @step
    async def finish(self, ev: Half) -> Done:
        return Done(n=ev.n)

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=numbers(ev))


@pytest.mark.parametrize("event", [Half(n=7), Done(n=7)])
@CARRIED
async def test_an_event_of_a_list_is_replaced_in_its_place(carried: Carried, event: Event) -> None:
    workflow = Listed()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2]
    for checkpoint in own(source):
        if checkpoint.last_completed_step == "work":
            assert isinstance(checkpoint.input_event, Part)
            n = checkpoint.input_event.n
            rerun = workflow.run_from(carried(workflow, checkpoint), output_event=event)
            assert await ended(rerun) == [7 if m == n else m for m in range(3)]


async def test_an_event_that_was_gathered_with_others_is_not_replaced() -> None:
    workflow = Listed()
    source = workflow.run()
    await ended(source)
    finished = next(c for c in own(source) if c.last_completed_step == "finish")
    with pytest.raises(WorkflowRuntimeError, match="collected"):
        workflow.run_from(finished, output_event=Done(n=7))


async def test_an_event_that_waits_to_be_joined_is_not_replaced() -> None:
    class Joining(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Left | Part | None:
            ctx.send_event(Part(n=1))
            return Left(n=1)

        @step
        async def right(self, ev: Part) -> Right:
            return Right(n=2)

        @step
        async def join(self, left: Left, right: Right) -> StopEvent:
            return StopEvent(result=(left.n, right.n))

    workflow = Joining()
    source = workflow.run()
    assert await ended(source) == (1, 2)
    for checkpoint, event in zip(own(source)[1:], [Left(n=7), Right(n=7)], strict=False):
        with pytest.raises(WorkflowRuntimeError, match="collected"):
            workflow.run_from(checkpoint, output_event=event)


async def test_an_event_that_has_answered_a_waiting_step_is_not_replaced() -> None:
    class Hearing(Beside):
        begins = (Slow(n=1),)

        @step
        async def slow(self, ctx: Context, ev: Slow) -> StopEvent:
            await ctx.wait_for_event(Ticked)
            return StopEvent(result="heard")

    workflow = Hearing()
    source = workflow.run()
    assert await ended(source) == "heard"
    with pytest.raises(WorkflowRuntimeError, match="answered"):
        workflow.run_from(amid(source), output_event=Ticked())
