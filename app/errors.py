"""Refusals: what Cairn will not do, and what to do about it. They know nothing of HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass


class Refusal(Exception):
    """Something asked for cannot be done; the message says what to do."""


class NotFound(Refusal):
    """There is no such thing."""


class Conflict(Refusal):
    """It does not fit how things stand."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands, as a path of names and positions, and why."""

    where: tuple[str | int, ...]
    message: str


class Invalid(Refusal):
    """What was sent is not what is needed.

    Attributes:
        problems: each thing that is wrong with it.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class TooLarge(Refusal):
    """What was sent is more than is taken."""


class Unavailable(Refusal):
    """It cannot be done now, and may be later.

    Attributes:
        retry_after: in how many seconds it is worth another try.
    """

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Damaged(Refusal):
    """What was stored cannot be read back as it was written."""
