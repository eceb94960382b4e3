"""Conditions: which failures are worth another attempt."""

import re
from collections.abc import Callable
from typing import Protocol

import tenacity
from tenacity import RetryCallState
from tenacity.retry import retry_base

from cairn.engine.language.retry.attempt import FailedAttempt, check_callable

ExceptionTypes = type[BaseException] | tuple[type[BaseException], ...]


class RetryCondition(Protocol):
    """Says whether an error is worth another attempt."""

    def __call__(self, error: BaseException, /) -> bool:
        """True to try again after the error."""


class Condition:
    """A `RetryCondition` that can be combined: `a | b` is either of them, `a & b` both."""

    def __init__(self, part: "RetryCondition | retry_base | Condition") -> None:
        check_callable("retry", part)
        if isinstance(part, Condition):
            part = part.tenacity
        self.tenacity: retry_base = (
            part if isinstance(part, retry_base) else tenacity.retry_if_exception(part)
        )

    def __call__(self, error: BaseException | RetryCallState) -> bool:
        """Whether the error is worth another attempt."""
        state = error if isinstance(error, RetryCallState) else FailedAttempt(error=error)
        return bool(self.tenacity(state))

    def __or__(self, other: RetryCondition | retry_base) -> "Condition":
        return retry_any(self, Condition(other))

    def __ror__(self, other: RetryCondition | retry_base) -> "Condition":
        return retry_any(Condition(other), self)

    def __and__(self, other: RetryCondition | retry_base) -> "Condition":
        return retry_all(self, Condition(other))

    def __rand__(self, other: RetryCondition | retry_base) -> "Condition":
        return retry_all(Condition(other), self)


def retry_if_exception(predicate: Callable[[BaseException], bool]) -> Condition:
    """Those of which the predicate is true."""
    return Condition(tenacity.retry_if_exception(predicate))


def retry_if_exception_type(exception_types: ExceptionTypes = Exception) -> Condition:
    """Those of these types."""
    return Condition(tenacity.retry_if_exception_type(exception_types))


def retry_if_not_exception_type(exception_types: ExceptionTypes = Exception) -> Condition:
    """Those of none of these types."""
    return Condition(tenacity.retry_if_not_exception_type(exception_types))


retry_unless_exception_type = retry_if_not_exception_type


def retry_if_exception_message(
    message: str | None = None, match: str | re.Pattern[str] | None = None
) -> Condition:
    """Those whose message is this, or has this pattern in it: one of the two must be given."""
    return retry_if_exception(_says(message, match))


def retry_if_not_exception_message(
    message: str | None = None, match: str | re.Pattern[str] | None = None
) -> Condition:
    """Those whose message is not this, or has not this pattern in it."""
    says = _says(message, match)
    return retry_if_exception(lambda error: not says(error))


def _says(
    message: str | None, match: str | re.Pattern[str] | None
) -> Callable[[BaseException], bool]:
    if message is not None and match is None:
        return lambda error: str(error) == message
    if match is not None and message is None:
        # Anywhere in the message, as the language has it; Tenacity's begins at its start.
        pattern = re.compile(match)
        return lambda error: pattern.search(str(error)) is not None
    raise TypeError("A message is recognised by either 'message' or 'match': give one of them.")


def retry_if_exception_cause_type(exception_types: ExceptionTypes = Exception) -> Condition:
    """Those raised `from` one of these types, or from one that was, and so on."""
    return Condition(tenacity.retry_if_exception_cause_type(exception_types))


def retry_any(*retries: RetryCondition) -> Condition:
    """Those of which any of the conditions holds, as `|` has it."""
    return Condition(tenacity.retry_any(*(Condition(retry).tenacity for retry in retries)))


def retry_all(*retries: RetryCondition) -> Condition:
    """Those of which all the conditions hold, as `&` has it."""
    return Condition(tenacity.retry_all(*(Condition(retry).tenacity for retry in retries)))


def retry_always() -> Condition:
    """All of them."""
    return Condition(tenacity.retry_always)


def retry_never() -> Condition:
    """None of them."""
    return Condition(tenacity.retry_never)
