"""Exceptions as JSON: the name of the class and the message, which is all that is kept of them."""

import builtins
from collections.abc import Callable

from app.engine.marks import Json


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
    is_plain = all(type(arg) in (str, int, bool, type(None)) for arg in error.args)
    return [name or type(error).__name__, message, list(error.args) if is_plain else [message]]


def read(written: Json, find: Callable[[str], type | None]) -> Exception:
    """The exception that was written.

    Args:
        find: asked for the class of that name; Python's own need not be.
    """
    name, message, arguments = written
    cls = getattr(builtins, name, None) or find(name)
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        return UnknownError(message, name)
    try:
        error = cls(*arguments)
    except Exception:  # it takes something else
        return UnknownError(message, name)
    return error if message_of(error) == message else UnknownError(message, name)
