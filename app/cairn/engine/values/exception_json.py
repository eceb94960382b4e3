"""Exceptions as JSON: the class's name, the message, and the arguments if JSON can hold those."""

import builtins
from collections.abc import Callable

import orjson

from cairn.engine.values.extended_json import Json


class UnknownError(Exception):
    """Stands for a stored exception that cannot be built again.

    Its class is not known, or does not accept the stored arguments, or would show a different
    message.

    Attributes:
        original_type: the name of the exception's own class.
    """

    def __init__(self, message: str, original_type: str | None = None) -> None:
        super().__init__(message)
        self.original_type = original_type


def message_of(error: BaseException) -> str:
    """Return the exception's message as valid text.

    An exception class of a user may raise in `__str__`, or return lone surrogates.
    """
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:
        return "Its message cannot be read."


def write(error: Exception) -> Json:
    """Write the exception as JSON: `[class name, message, arguments]`."""
    name = error.original_type if isinstance(error, UnknownError) else None
    message = message_of(error)
    arguments = _arguments(error)
    return [name or type(error).__name__, message, [message] if arguments is None else arguments]


def read(written: Json, find: Callable[[str], type | None]) -> Exception:
    """Build the exception that `write` has written, or an `UnknownError` in its place.

    Args:
        written: the JSON of `write`.
        find: looks up a class by its name. `find` comes before Python's built-in exceptions, since
            a workflow may define a `TimeoutError` of its own.
    """
    name, message, arguments = written
    cls = find(name) or getattr(builtins, name, None)
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        return UnknownError(message, name)
    try:
        error = cls(*arguments)
    except Exception:  # its constructor expects other arguments
        return UnknownError(message, name)
    return error if message_of(error) == message else UnknownError(message, name)


def _arguments(error: Exception) -> list[Json] | None:
    """Return the exception's `args`, or `None` if JSON cannot hold all of them."""
    try:
        arguments = list(error.args)
        is_plain = all(type(arg) in (str, int, bool, type(None)) for arg in arguments)
        if is_plain:
            orjson.dumps(arguments)  # raises for long integers and for invalid text
        return arguments if is_plain else None
    except Exception:  # a property of a user's class can raise anything
        return None
