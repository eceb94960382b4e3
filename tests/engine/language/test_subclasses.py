"""Subclasses of events: a step takes them where it says so, and only there."""

from typing import Annotated

import pytest

from cairn import (
    Collect,
    Context,
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Take,
    UnhandledEvent,
    Workflow,
    WorkflowRuntimeError,
    WorkflowValidationError,
    catch_error,
    step,
)
from tests.engine.tools.runs import (
    completed,
    ended,
    own,
    rerun_everywhere,
    state,
    through_json,
    waiting,
)


class Fruit(Event):
    n: int = 0


class Apple(Fruit):
    pass


class Russet(Apple):
    pass


class Pear(Fruit):
    pass


class Question(InputRequiredEvent):
    pass


class Answer(HumanResponseEvent):
    word: str


class ShortAnswer(Answer):
    pass


class Sorting(Workflow):
    """Takes every fruit, and apples besides."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Russet | Apple | Pear:
        ctx.send_event(Russet(n=1))
        ctx.send_event(Apple(n=2))
        return Pear(n=3)

    @step
    async def only_apples(self, ctx: Context, ev: Apple) -> None:
        await ctx.set("apples", [*await ctx.get("apples", default=[]), type(ev).__name__])

    @step(accept_event_subclasses=True)
    async def all_fruit(self, ctx: Context, ev: Fruit) -> StopEvent | None:
        basket = [*await ctx.get("basket", default=[]), type(ev).__name__]
        await ctx.set("basket", basket)
        return StopEvent(result=sorted(basket)) if len(basket) == 3 else None


async def test_a_step_takes_subclasses_where_it_says_so() -> None:
    workflow = Sorting()
    handler = workflow.run()
    assert await ended(handler) == ["Apple", "Pear", "Russet"]
    assert state(own(handler)[-1])["apples"] == ["Apple"]
    await rerun_everywhere(workflow, handler)
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_a_list_collects_subclasses_where_it_says_so() -> None:
    class Basket(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> list[Russet | Pear | Apple]:
            return [Russet(n=1), Pear(n=2), Apple(n=3)]

        @step(accept_event_subclasses=True)
        async def any_fruit(self, ev: list[Fruit]) -> Fruit:
            return Fruit(n=sum(e.n for e in ev))

        @step(accept_event_subclasses=True)
        async def two_apples(
            self, ctx: Context, ev: Annotated[list[Apple], Collect(Take(2))]
        ) -> None:
            await ctx.set("apples", [type(e).__name__ for e in ev])

        @step
        async def end(self, ctx: Context, ev: Fruit) -> StopEvent:
            return StopEvent(result=(ev.n, await ctx.get("apples")))

    workflow = Basket()
    handler = workflow.run()
    assert await ended(handler) == (6, ["Russet", "Apple"])
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_joins_take_subclasses_where_they_say_so_the_closest_parameter_first() -> None:
    class Pairs(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Apple | Russet | Pear:
            ctx.send_event(Apple(n=1))
            ctx.send_event(Pear(n=2))
            return Russet(n=3)

        @step(accept_event_subclasses=True)
        async def pair(self, any_fruit: Fruit, apple: Apple) -> StopEvent:
            return StopEvent(result=(any_fruit.n, apple.n))

    workflow = Pairs()
    handler = workflow.run()
    assert await ended(handler) == (2, 1)
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_without_saying_so_a_subclass_is_another_type() -> None:
    class Strict(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Fruit | StopEvent:
            return Apple()

        @step
        async def take(self, ev: Fruit) -> StopEvent:
            return StopEvent()

    handler = Strict().run()
    async for event in handler.stream_events(expose_internal=True):
        if isinstance(event, UnhandledEvent):
            assert event.event_type == "Apple"
            break
    await handler.cancel_run()
    assert completed(own(handler)) == {"begin": 1}


async def test_a_step_that_takes_every_event_takes_no_end_and_no_failure() -> None:
    class Audited(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Apple:
            raise ValueError("rotten")

        @step
        async def eat(self, ev: Apple) -> StopEvent:
            return StopEvent(result="eaten")

        @step(accept_event_subclasses=True)
        async def audit(self, ctx: Context, ev: Event) -> None:
            await ctx.set("seen", [*await ctx.get("seen", default=[]), type(ev).__name__])

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> Apple:
            return Apple()

    workflow = Audited()
    handler = workflow.run()
    assert await ended(handler) == "eaten"
    assert state(own(handler)[-2])["seen"][0] == "StartEvent"
    assert set(state(own(handler)[-1])["seen"]) <= {"StartEvent", "Apple"}
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_an_answer_may_be_of_a_subclass() -> None:
    class Asks(Workflow):
        @step
        async def ask(self, ev: StartEvent) -> Question:
            return Question()

        @step(accept_event_subclasses=True)
        async def hear(self, ev: Answer) -> StopEvent:
            return StopEvent(result=(type(ev).__name__, ev.word))

    workflow = Asks()
    handler = workflow.run()
    handler.send_event(ShortAnswer(word="ok"))
    assert await ended(handler) == ("ShortAnswer", "ok")
    await rerun_everywhere(workflow, handler, ShortAnswer(word="ok"), carried=through_json)


async def test_a_subclass_can_be_sent_to_one_step_only_where_that_takes_it() -> None:
    class Sends(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Apple | Fruit:
            ctx.send_event(Russet(n=1), step="lenient" if ev.lenient else "strict")
            return Fruit(n=0)

        @step(accept_event_subclasses=True)
        async def lenient(self, ev: Apple) -> StopEvent:
            return StopEvent(result=type(ev).__name__)

        @step
        async def strict(self, ev: Fruit) -> None:
            return None

    assert await ended(Sends().run(lenient=True)) == "Russet"
    with pytest.raises(WorkflowRuntimeError, match="'strict' does not take Russet"):
        await ended(Sends().run(lenient=False))


def test_what_is_given_fits_what_is_taken_only_where_the_step_says_so() -> None:
    class Strict(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Apple:
            return Apple()

        @step
        async def take(self, ev: Fruit) -> StopEvent:
            return StopEvent()

    class Lenient(Strict):
        @step(accept_event_subclasses=True)
        async def take(self, ev: Fruit) -> StopEvent:
            return StopEvent()

    assert Lenient().validate() is False
    with pytest.raises(WorkflowValidationError) as refused:
        Strict().validate()
    assert "Fruit is consumed but never produced: take waits for it" in str(refused.value)
    assert "Apple is produced but never consumed: begin gives it" in str(refused.value)


def test_a_base_that_is_given_does_not_fit_a_subclass_that_is_taken() -> None:
    class Narrow(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Fruit:
            return Apple()

        @step(accept_event_subclasses=True)
        async def take(self, ev: Apple) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowValidationError, match="Apple is consumed but never produced"):
        Narrow().validate()


async def test_a_waiting_step_gets_its_answer_though_another_takes_every_answer() -> None:
    class Both(Workflow):
        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            answer = await ctx.wait_for_event(Answer, waiter_event=Question())
            return StopEvent(result=answer.word)

        @step(accept_event_subclasses=True)
        async def note(self, ctx: Context, ev: HumanResponseEvent) -> None:
            await ctx.set("noted", True)

    workflow = Both()
    handler = workflow.run()
    await waiting(handler)
    handler.send_event(Answer(word="yes"))
    assert await ended(handler) == "yes"
