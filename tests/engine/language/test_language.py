"""The language workflows are written in: steps, their checks, their pace, and what they show."""

from collections.abc import Callable

import pytest

from cairn import (
    Context,
    Event,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    WorkflowValidationError,
    step,
)
from tests.engine.flows.sending import FanOut, Left, Part
from tests.engine.tools.runs import ended, own, rerun_everywhere


def no_event() -> None:
    class Wrong(Workflow):
        @step
        async def lonely(self) -> StopEvent:
            return StopEvent()


def no_annotation() -> None:
    class Wrong(Workflow):
        @step
        async def lonely(self, ev) -> StopEvent:  # type: ignore[no-untyped-def]
            return StopEvent()


def not_an_event() -> None:
    class Wrong(Workflow):
        @step
        async def lonely(self, ev: int) -> StopEvent:
            return StopEvent()


def partly_not_an_event() -> None:
    class Wrong(Workflow):
        @step
        async def lonely(self, ev: StartEvent | str) -> StopEvent:
            return StopEvent()


def no_return() -> None:
    class Wrong(Workflow):
        @step
        async def lonely(self, ev: StartEvent):  # type: ignore[no-untyped-def]
            return StopEvent()


def returns_no_event() -> None:
    class Wrong(Workflow):
        @step
        async def lonely(self, ev: StartEvent) -> str:
            return ""


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (no_event, "event"),
        (no_annotation, "annot"),
        (not_an_event, "int"),
        (partly_not_an_event, "str"),
        (no_return, "return"),
        (returns_no_event, "str"),
    ],
)
async def test_a_step_that_does_not_say_what_it_takes_and_gives_is_refused_by_name(
    wrong: Callable[[], None], said: str
) -> None:
    with pytest.raises(WorkflowValidationError, match=said) as refusal:
        wrong()
    assert "lonely" in str(refusal.value)


async def test_a_step_without_workers_is_refused() -> None:
    with pytest.raises(WorkflowValidationError, match="num_workers"):
        step(num_workers=0)


class Orphan(Event):
    pass


class Foundling(Event):
    pass


class Stray(Event):
    pass


class Misfit(Workflow):
    @step
    async def begin(self, ev: StartEvent) -> Orphan | Stray | StopEvent:
        return StopEvent()

    @step
    async def wait(self, ev: Foundling) -> StopEvent:
        return StopEvent()


async def test_events_without_a_taker_and_without_a_giver_are_all_named() -> None:
    with pytest.raises(WorkflowValidationError) as refusal:
        Misfit().run()
    for name in ("Orphan", "Stray", "Foundling", "begin", "wait"):
        assert name in str(refusal.value)


async def test_validating_says_what_running_would() -> None:
    with pytest.raises(WorkflowValidationError, match="Orphan"):
        Misfit().validate()


async def test_a_workflow_needs_a_step_that_starts_and_one_that_stops() -> None:
    class Empty(Workflow):
        pass

    class Endless(Workflow):
        @step
        async def around(self, ev: StartEvent | Part) -> Part:
            return Part(n=1)

    class Beginless(Workflow):
        @step
        async def end(self, ev: Part) -> Part | StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowValidationError):
        Empty().run()
    with pytest.raises(WorkflowValidationError, match="StopEvent"):
        Endless().run()
    with pytest.raises(WorkflowValidationError, match="StartEvent"):
        Beginless().run()


async def test_a_question_needs_no_taker() -> None:
    class Asks(Workflow):
        @step
        async def ask(self, ev: StartEvent) -> InputRequiredEvent | StopEvent:
            return StopEvent(result="not asked")

    assert await ended(Asks().run()) == "not asked"


async def test_a_step_that_returns_no_event_at_all_fails_its_run_by_name() -> None:
    class Wrong(Workflow):
        @step
        async def mistaken(self, ev: StartEvent) -> StopEvent:
            return "text"  # type: ignore[return-value]

    with pytest.raises(WorkflowRuntimeError, match=r"(?s)mistaken.*str|str.*mistaken"):
        await ended(Wrong().run())


async def test_an_event_sent_to_a_step_that_is_not_there_is_refused_by_name() -> None:
    class Sends(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> StopEvent:
            ctx.send_event(Part(n=1), step="nowhere")
            return StopEvent()

    with pytest.raises(WorkflowRuntimeError, match="nowhere"):
        await ended(Sends().run())


async def test_an_event_sent_to_one_step_reaches_only_that_one() -> None:
    class Sends(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
            ctx.send_event(Part(n=1), step="right")
            return None

        @step
        async def left(self, ev: Part) -> Left | StopEvent:
            return StopEvent(result="left")

        @step
        async def right(self, ev: Part) -> StopEvent:
            return StopEvent(result="right")

        @step
        async def take(self, ev: Left) -> None:
            return None

    workflow = Sends()
    source = workflow.run()
    assert await ended(source) == "right"
    await rerun_everywhere(workflow, source)


async def test_a_step_is_inherited_and_may_be_replaced() -> None:
    class Parent(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=1)

        @step
        async def end(self, ev: Part) -> StopEvent:
            return StopEvent(result="parent")

    class Child(Parent):
        @step
        async def end(self, ev: Part) -> StopEvent:
            return StopEvent(result="child")

    assert await ended(Child().run()) == "child"
    assert await ended(Parent().run()) == "parent"


async def test_a_step_that_returns_nothing_leaves_a_checkpoint() -> None:
    handler = FanOut().run()
    await ended(handler)
    gathered = handler.ctx.filter_checkpoints(last_completed_step="gather")
    assert [c.output_event for c in gathered] == [None, None, StopEvent(result=[0, 1, 2])]


async def test_the_runs_of_one_workflow_are_told_apart() -> None:
    workflow = FanOut()
    handlers = [workflow.run() for _ in range(3)]
    for handler in handlers:
        await ended(handler)
    assert len({handler.run_id for handler in handlers}) == 3
    assert all({c.run_id for c in own(h)} == {h.run_id} for h in handlers)
