"""What meets in one batch, and what is refused since it never meets."""

from types import new_class
from typing import Any

import pytest

from cairn import (
    Context,
    Event,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    WorkflowValidationError,
    catch_error,
    step,
)
from tests.engine.flows.lists import Done, Group, Odd, Part, Total
from tests.engine.tools.runs import ended


async def test_an_event_returned_alone_is_of_the_outer_batch_and_no_inner_one() -> None:
    class Mixed(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Group]:
            return [Group(n=n) for n in range(3)]

        @step
        async def split(self, ev: Group) -> list[Part] | Total:
            return Total(n=1) if ev.n == 1 else [Part(n=10 * ev.n + i) for i in range(2)]

        @step
        async def gather(self, ev: list[Part]) -> Total:
            return Total(n=sum(e.n for e in ev))

        @step
        async def combine(self, ev: list[Total]) -> StopEvent:
            return StopEvent(result=[e.n for e in ev])

    assert await ended(Mixed().run()) == [1, 1, 41]


def test_a_list_of_what_is_only_returned_alone_is_refused() -> None:
    class Alone(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part] | Odd:
            return []

        @step
        async def parts(self, ev: list[Part]) -> StopEvent:
            return StopEvent()

        @step
        async def odds(self, ev: list[Odd]) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowValidationError, match="odds collects a list of Odd"):
        Alone().validate()


def test_a_member_and_what_is_returned_alone_never_meet() -> None:
    class Alone(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part] | Odd:
            return []

        @step
        async def join(self, part: Part, odd: Odd) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowValidationError, match="they never meet"):
        Alone().validate()


def test_one_type_of_a_union_that_nobody_gives_is_refused() -> None:
    class Half(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=1)

        @step
        async def work(self, ev: Part | Odd) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowValidationError, match="Odd is consumed but never produced"):
        Half().validate()


def test_one_parameter_of_a_join_that_nobody_gives_is_named() -> None:
    class Half(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=1)

        @step
        async def join(self, part: Part, odd: Odd) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowValidationError, match="Odd is consumed but never produced"):
        Half().validate()


async def test_what_only_a_handler_gives_can_be_collected() -> None:
    class Counting(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part]:
            return [Part(n=n) for n in range(3)]

        @step
        async def work(self, ev: Part) -> Done:
            if ev.n == 1:
                raise ValueError
            return Done(n=ev.n)

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> Odd:
            return Odd(n=ev.input_event.n)

        @step
        async def good(self, ev: list[Done]) -> Total:
            return Total(n=len(ev))

        @step
        async def bad(self, ev: list[Odd]) -> Group:
            return Group(n=len(ev))

        @step
        async def join(self, total: Total, group: Group) -> StopEvent:
            return StopEvent(result=(total.n, group.n))

    assert await ended(Counting().run()) == (2, 1)


async def test_what_members_send_can_be_joined_with_what_comes_of_no_batch() -> None:
    class Sends(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part]:
            return [Part(n=1)]

        @step
        async def beside(self, ev: StartEvent) -> Odd:
            return Odd(n=2)

        @step
        async def work(self, ctx: Context, ev: Part) -> Done | None:
            ctx.send_event(Done(n=ev.n))
            return None

        @step
        async def join(self, done: Done, odd: Odd) -> StopEvent:
            return StopEvent(result=(done.n, odd.n))

    assert await ended(Sends().run()) == (1, 2)


async def test_what_a_recursive_list_comes_to_can_be_collected_by_another_step() -> None:
    class Tree(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Group:
            return Group(n=4)

        @step
        async def split(self, ev: Group) -> list[Group] | Part:
            return Part(n=1) if ev.n == 1 else [Group(n=ev.n // 2), Group(n=ev.n // 2)]

        @step
        async def leaves(self, ev: list[Part]) -> Total:
            return Total(n=sum(e.n for e in ev))

        @step
        async def trees(self, ev: list[Total]) -> StopEvent:
            return StopEvent(result=[e.n for e in ev])

    assert Tree().validate() is False


async def test_thousands_of_steps_are_put_together_and_run() -> None:
    count = 3_000
    kinds = [StartEvent, *(new_class(f"Passed{n}", (Event,)) for n in range(1, count)), StopEvent]

    def passing(number: int) -> Any:
        async def passed(self: Any, ev: Any) -> Any:
            return kinds[number + 1]()

        passed.__annotations__ = {"ev": kinds[number], "return": kinds[number + 1]}
        passed.__name__ = f"step{number}"
        passed.__qualname__ = f"Long.step{number}"
        return step(passed)

    steps = {f"step{number}": passing(number) for number in range(count)}
    long = new_class("Long", (Workflow,), {}, lambda names: names.update(steps))
    handler = long().run()
    assert await ended(handler) is None
    assert len(handler.ctx.checkpoints) == count + 1
