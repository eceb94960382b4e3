"""The event that another stands for is that one, and no equal one."""

import asyncio

import pytest

from cairn import (
    Context,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    step,
)
from tests.engine.flows.asking import Answer, Question
from tests.engine.flows.in_flight import Slow, numbers
from tests.engine.flows.sending import Chain, Done, Part, Scatter
from tests.engine.tools.runs import ended, own, shown, until, until_true


class Better(Done):
    pass


class Returning(Workflow):
    @step
    async def begin(self, ev: StartEvent) -> Done:
        return Better(n=1)

    @step(accept_event_subclasses=True)
    async def end(self, ev: Done) -> StopEvent:
        return StopEvent(result=(type(ev).__name__, ev.n))


async def test_an_event_of_a_derived_type_may_be_replaced_by_another_of_its_type() -> None:
    workflow = Returning()
    source = workflow.run()
    assert await ended(source) == ("Better", 1)
    rerun = workflow.run_from(own(source)[1], output_event=Better(n=2))
    assert await ended(rerun) == ("Better", 2)


async def test_the_event_that_a_checkpoint_shows_may_be_changed_and_given_back() -> None:
    workflow = Chain()
    source = workflow.run(n=3)
    await ended(source)
    begun = own(source)[1]
    event = begun.output_event
    assert isinstance(event, Part)
    event.n = 5
    rerun = workflow.run_from(begun, output_event=event)
    assert await ended(rerun) == (10, ["begin", "double", "end"])


class Noting(Workflow):
    """What a step gives is taken by another one, and gathered with others of its list."""

    @step
    async def begin(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(2)]

    @step(num_workers=1)
    async def work(self, ev: Part) -> Done:
        return Done(n=ev.n)

    @step
    async def note(self, ctx: Context, ev: Done) -> None:
        await ctx.set("noted", [*await ctx.get("noted", default=[]), ev.n])

    @step
    async def gather(self, ctx: Context, ev: list[Done]) -> StopEvent:
        return StopEvent(result=[done.n for done in ev])


async def test_an_event_that_was_gathered_and_is_taken_by_a_step_too_is_not_there_twice() -> None:
    workflow = Noting()
    source = workflow.run()
    assert await ended(source) == [0, 1]
    worked = next(c for c in own(source) if c.last_completed_step == "work")
    with pytest.raises(WorkflowRuntimeError, match="collected"):
        workflow.run_from(worked, output_event=Done(n=7))


class JoiningToo(Workflow):
    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | Scatter | None:
        ctx.send_event(Scatter())
        return Part(n=1)

    @step
    async def note(self, ctx: Context, ev: Part) -> None:
        await ctx.set("noted", ev.n)

    @step
    async def later(self, ev: Scatter) -> Done:
        return Done(n=2)

    @step
    async def join(self, part: Part, done: Done) -> StopEvent:
        return StopEvent(result=(part.n, done.n))


async def test_an_event_that_waits_to_be_joined_and_is_taken_by_a_step_too_is_not_there_twice() -> (
    None
):
    workflow = JoiningToo()
    source = workflow.run()
    assert await ended(source) == (1, 2)
    try:
        rerun = workflow.run_from(own(source)[1], output_event=Part(n=7))
    except WorkflowRuntimeError:
        return
    assert await ended(rerun) == (7, 2)


class AnsweredBefore(Workflow):
    """A step has been answered by an event, and another gives an equal one."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = asyncio.Event()

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Scatter | Slow | None:
        ctx.send_event(Slow(n=1))
        return Scatter()

    @step
    async def ask(self, ctx: Context, ev: Slow) -> None:
        await ctx.wait_for_event(Part)
        await until(self.opened)

    @step
    async def send(self, ev: Scatter) -> Part:
        return Part(n=1)

    @step
    async def work(self, ctx: Context, ev: Part) -> Done | StopEvent:
        worked = await ctx.get("worked", default=0)
        await ctx.set("worked", worked + 1)
        return StopEvent(result=ev.n) if worked else Done(n=1)

    @step
    async def again(self, ev: Done) -> Part:
        return Part(n=1)


async def test_an_event_equal_to_one_that_has_answered_a_step_before_may_be_replaced() -> None:
    workflow = AnsweredBefore()
    source = workflow.run()
    assert await ended(source) == 1
    again = next(c for c in own(source) if c.last_completed_step == "again")
    assert await ended(workflow.run_from(again, output_event=Part(n=7))) == 7


class AskingTheSame(Workflow):
    """A step gives a question that nobody takes; then another asks the same, and waits."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Question | Part | None:
        ctx.send_event(Part(n=1))
        return Question(n=1)

    @step
    async def ask(self, ctx: Context, ev: Part) -> StopEvent:
        answer = await ctx.wait_for_event(Answer, waiter_event=Question(n=1))
        return StopEvent(result=answer.word)


async def test_the_question_of_a_wait_is_not_replaced_in_the_place_of_an_equal_one() -> None:
    workflow = AskingTheSame()
    source = workflow.run()
    await until_true(lambda: len(own(source)) == 3)
    asked = own(source)[-1]
    assert (asked.last_completed_step, asked.output_event) == (None, Question(n=1))
    with pytest.raises(WorkflowRuntimeError):
        workflow.run_from(asked, output_event=Question(n=2))
    await source.cancel_run()


class OneOfTwo(Workflow):
    """Two steps take the answer; it may be said to one of them."""

    @step
    async def ask(self, ev: StartEvent) -> Question:
        return Question()

    @step
    async def one(self, ev: Answer) -> StopEvent:
        return StopEvent(result=("one", ev.word))

    @step
    async def two(self, ev: Answer) -> StopEvent:
        return StopEvent(result=("two", ev.word))


async def test_an_event_that_was_for_one_step_is_replaced_for_that_step() -> None:
    workflow = OneOfTwo()
    source = workflow.run()
    await shown(source, Question)
    source.send_event(Answer(word="a"), step="one")
    assert await ended(source) == ("one", "a")
    heard = next(c for c in own(source) if isinstance(c.output_event, Answer))
    rerun = workflow.run_from(heard, output_event=Answer(word="b"))
    assert await ended(rerun) == ("one", "b")


class AskingOfAList(Workflow):
    """What is made of a list's first is a question that nobody takes."""

    @step
    async def begin(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(2)]

    @step(num_workers=1)
    async def work(self, ev: Part) -> Question | Done:
        return Done(n=ev.n) if ev.n else Question()

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=numbers(ev))


async def test_an_event_of_a_list_that_nobody_took_is_replaced_by_none_that_is_gathered() -> None:
    workflow = AskingOfAList()
    source = workflow.run()
    assert await ended(source) == [1]
    asked = next(c for c in own(source) if isinstance(c.output_event, Question))
    with pytest.raises(WorkflowRuntimeError, match="collect of a list"):
        workflow.run_from(asked, output_event=Done(n=7))
