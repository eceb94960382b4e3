"""Exceptions in events: what is kept of what a step has raised."""

from typing import Any

import orjson
import pytest

from cairn import (
    Checkpoint,
    Context,
    Event,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    UnknownError,
    Workflow,
    catch_error,
    step,
)
from cairn.engine.core.delta_json import to_json
from cairn.engine.library.held_context import held
from tests.engine.flows.catching import Failing, Mute, NotFound
from tests.engine.flows.lists import Part
from tests.engine.tools.runs import ended, own, through_json


@pytest.mark.parametrize(
    "error",
    [
        ValueError("text"),
        KeyError("key"),
        ValueError("several", 1, None, True),
        FileNotFoundError(2, "No such file"),
        NotFound("page", 404),
        RuntimeError(),
    ],
    ids=repr,
)
async def test_an_exception_is_given_as_it_was_raised(error: Exception) -> None:
    workflow = Failing(error)
    handler = workflow.run()
    await ended(handler)
    await ended(workflow.run_from(checkpoint=through_json(workflow, own(handler)[1])))
    for failure in workflow.given:
        assert type(failure.exception) is type(error)
        assert failure.exception.args == error.args
        assert str(failure.exception) == str(error)


def unknown() -> Exception:
    class Local(Exception):
        pass

    return Local("of a function")


@pytest.mark.parametrize(
    ("error", "original", "message"),
    [
        (unknown(), "Local", "of a function"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "UnicodeDecodeError", "bad"),
        (ExceptionGroup("several", [ValueError("one")]), "ExceptionGroup", "several"),
        (UnknownError("of a stored one", "Elsewhere"), "Elsewhere", "of a stored one"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_exception_that_cannot_be_made_again_is_an_unknown_error(
    error: Exception, original: str, message: str
) -> None:
    workflow = Failing(error)
    handler = workflow.run()
    await ended(handler)
    await ended(workflow.run_from(checkpoint=through_json(workflow, own(handler)[1])))
    for failure in workflow.given:
        assert isinstance(failure.exception, UnknownError)
        assert failure.exception.original_type == original
        assert message in str(failure.exception)


async def test_an_exception_without_readable_text_is_caught_too() -> None:
    workflow = Failing(Mute())
    assert await ended(workflow.run()) == 3


class Unreadable(Exception):
    """Made of what nobody can read."""

    @property
    def args(self) -> Any:
        raise RuntimeError("no arguments")

    @args.setter
    def args(self, value: Any) -> None:
        """As Exception's own."""


def failing(error: Exception) -> Workflow:
    class Failing(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=1)

        @step
        async def work(self, ev: Part) -> StopEvent:
            raise error

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            return StopEvent(result=type(ev.exception).__name__)

    # The time is only so that the test ends: nothing else of the run would.
    return Failing(timeout=0.5)


async def test_an_exception_whose_arguments_cannot_be_read_is_caught_by_its_class() -> None:
    assert await ended(failing(Unreadable()).run()) == "Unreadable"


def version(new: bool) -> type[Workflow]:
    class Gone(Event):
        n: int

    if not new:

        class Old(Workflow):
            @step
            async def begin(self, ctx: Context, ev: StartEvent) -> Gone | None:
                ctx.send_event(Gone(n=1))
                return None

            @step
            async def work(self, ev: Gone) -> StopEvent:
                return StopEvent()

        return Old

    class New(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=1)

        @step
        async def work(self, ev: Part) -> StopEvent:
            return StopEvent()

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            return StopEvent(result="mended")

    New.__qualname__ = "version.<locals>.Old"  # the same workflow, with other code
    return New


async def test_a_pending_event_that_cannot_be_read_any_more_fails_the_run() -> None:
    handler = version(new=False)().run()
    await ended(handler)
    stored = own(handler)[1].model_dump_json()
    mended = version(new=True)(timeout=0.5)
    checkpoint = Checkpoint.model_validate_json(stored, context={"workflow": mended})
    with pytest.raises(Exception, match="no event type 'Gone'"):
        await ended(mended.run_from(checkpoint=checkpoint))


@pytest.mark.parametrize("value", [2**70, "\ud800"], ids=["large", "not Unicode"])
async def test_what_a_caught_exception_is_made_of_can_be_stored(value: Any) -> None:
    """As a field of an event, the first is written as text and the second refused."""
    handler = failing(ValueError(value)).run()
    assert await ended(handler) == "ValueError"
    for record in held(handler.ctx).runs.journal.records:
        orjson.dumps(to_json(record.delta))  # what the store does with it


class TimeoutError(Exception):
    pass


async def test_a_workflows_own_exception_is_given_though_python_has_one_of_that_name() -> None:
    class Own(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> StopEvent:
            raise TimeoutError("mine")

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            return StopEvent(result=isinstance(ev.exception, TimeoutError))

    assert await ended(Own().run()) is True
