"""Signatures of steps that take several events, or catch failures: what they must not say."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest

from cairn import (
    All,
    Collect,
    StepFailedEvent,
    StopEvent,
    Take,
    Workflow,
    WorkflowValidationError,
    catch_error,
    step,
)
from cairn.engine.language.collect import Cardinality
from tests.engine.flows.lists import Odd, Part, Word


class Base(Workflow):
    """To be given wrong steps."""


def a_list_of_no_events() -> None:
    @step(workflow=Base)
    async def wrong(ev: list[int]) -> StopEvent:
        return StopEvent()


def returns_a_list_of_no_events() -> None:
    @step(workflow=Base)
    async def wrong(ev: Part) -> list[str]:
        return []


def returns_any_list() -> None:
    @step(workflow=Base)
    async def wrong(ev: Part) -> list:  # type: ignore[type-arg]
        return []


def collects_one_event() -> None:
    @step(workflow=Base)
    async def wrong(ev: Annotated[Part, Collect(All())]) -> StopEvent:
        return StopEvent()


class Half(Cardinality):
    pass


def collects_otherwise() -> None:
    @step(workflow=Base)
    async def wrong(ev: Annotated[list[Part], Collect(Half())]) -> StopEvent:
        return StopEvent()


def a_list_and_an_event() -> None:
    @step(workflow=Base)
    async def wrong(ev: list[Part], word: Word) -> StopEvent:
        return StopEvent()


def joins_a_union() -> None:
    @step(workflow=Base)
    async def wrong(ev: Part | Odd, word: Word) -> StopEvent:
        return StopEvent()


def catches(*, for_steps: Any = None, max_recoveries: Any = 1) -> Callable[[], None]:
    def define() -> None:
        @catch_error(for_steps=for_steps, max_recoveries=max_recoveries)
        async def wrong(self: Workflow, ev: StepFailedEvent) -> StopEvent:
            return StopEvent()

    return define


def catches_another_event() -> None:
    @catch_error
    async def wrong(self: Workflow, ev: Part) -> StopEvent:
        return StopEvent()


def catches_a_list() -> None:
    @catch_error
    async def wrong(self: Workflow, ev: list[StepFailedEvent]) -> StopEvent:
        return StopEvent()


@pytest.mark.parametrize(
    ("define", "says"),
    [
        (a_list_of_no_events, "parameter 'ev' of step 'wrong' must name subclasses of Event; int"),
        (returns_a_list_of_no_events, "the return of step 'wrong' must name subclasses of Event"),
        (returns_any_list, "the return of step 'wrong' must name subclasses of Event"),
        (collects_one_event, "'ev' of step 'wrong' has a Collect, which is for a list of events"),
        (collects_otherwise, r"'ev' of step 'wrong' must Collect\(All\(\)\) or Collect\(Take"),
        (a_list_and_an_event, "'wrong' has a list of events and other event parameters"),
        (joins_a_union, "several event parameters, .* one type of event; 'ev' names Part, Odd"),
        (catches(max_recoveries=0), "max_recoveries must be 1 or more, not 0"),
        (catches(max_recoveries=True), "max_recoveries must be 1 or more, not True"),
        (catches(for_steps="work"), "for_steps must be a list of steps' names, not 'work'"),
        (catches(for_steps=[1]), "for_steps must be a list of steps' names"),
        (catches_another_event, "'wrong' handles failures: its event must be a StepFailedEvent"),
        (catches_a_list, "'wrong' handles failures: its event must be a StepFailedEvent"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_signature_is_refused_with_the_reason(define: Callable[[], None], says: str) -> None:
    with pytest.raises(WorkflowValidationError, match=says):
        define()


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2"])
def test_take_needs_a_whole_number_of_one_or_more(n: Any) -> None:
    with pytest.raises(ValueError, match="whole number of 1 or more"):
        Take(n)
