"""Tries: what earlier processes know of the attempts at a pending delivery."""

from typing import NamedTuple

from cairn.engine.language.retry import RetryInfo

FIRST_TRY = RetryInfo()


class Earlier(NamedTuple):
    """The attempts at a delivery that earlier processes have begun.

    Attributes:
        retry: the failed attempts.
        interrupted: the number of attempts that ended with their process.
        pause: seconds before the next attempt may begin.
        is_new: whether the last attempt was interrupted, and is not noted as such.
    """

    retry: RetryInfo = FIRST_TRY
    interrupted: int = 0
    pause: float = 0.0
    is_new: bool = False


NO_EARLIER = Earlier()
