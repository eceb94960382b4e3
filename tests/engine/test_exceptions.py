"""Exceptions in events: what is kept of what a step has raised."""

import pytest

from app.engine import UnknownError
from tests.engine.failing import Failing, Mute, NotFound
from tests.engine.runs import ended, own, through_json


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
