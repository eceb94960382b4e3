"""Exceptions as JSON: the name of the class and the message, which is all that is kept of them."""

import builtins
from collections.abc import Callable

import orjson

from cairn.engine.values.extended_json import Json


class UnknownError(Exception):
    """Stands for a stored exception whose class is not known, or takes more than a message.

    Attributes:
        original_type: the name of that class.
    """

    def __init__(self, message: str, original_type: str | None = None) -> None:
        super().__init__(message)
        self.original_type = original_type


def message_of(error: BaseException) -> str:
    """Its message; it is a user's class, and its text may be broken too."""
    try:
        return str(error).encode(errors="replace").decode()
    except Exception:
        return "Its message cannot be read."


def write(error: Exception) -> Json:
    """The exception as JSON: its class's name, its message, and what it was made of."""
    name = error.original_type if isinstance(error, UnknownError) else None
    message = message_of(error)
    arguments = _arguments(error)
    return [name or type(error).__name__, message, [message] if arguments is None else arguments]


def read(written: Json, find: Callable[[str], type | None]) -> Exception:
    """The exception that was written.

    Args:
        find: asked for the class of that name; Python's own need not be.
    """
    name, message, arguments = written
    cls = find(name) or getattr(builtins, name, None)  # a workflow may have a TimeoutError too
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        return UnknownError(message, name)
    try:
        error = cls(*arguments)
    except Exception:  # it takes something else
        return UnknownError(message, name)
    return error if message_of(error) == message else UnknownError(message, name)


def _arguments(error: Exception) -> list[Json] | None:
    """What the exception was made of, if JSON has room for it."""
    try:
        arguments = list(error.args)
        is_plain = all(type(arg) in (str, int, bool, type(None)) for arg in arguments)
        if is_plain:
            orjson.dumps(arguments)  # refuses long numbers, and text that is not valid
        return arguments if is_plain else None
    except Exception:  # it is a user's class
        return None
