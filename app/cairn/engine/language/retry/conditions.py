"""Conditions: the failures that are worth a new attempt."""

import re
from collections.abc import Callable
from typing import Protocol

import tenacity
from tenacity import RetryCallState
from tenacity.retry import retry_base

from cairn.engine.language.retry.attempt import FailedAttempt, check_callable

ExceptionTypes = type[BaseException] | tuple[type[BaseException], ...]


class RetryCondition(Protocol):
    """A callable that decides whether an error is worth a new attempt.

        def is_busy(error: BaseException) -> bool:
            return "busy" in str(error)

        retry_policy(retry=is_busy)

    A plain function with one parameter fits.
    """

    def __call__(self, error: BaseException, /) -> bool:
        """Return True to try again."""


class Condition:
    """A `RetryCondition` that combines with further conditions: `a | b` either, `a & b` both."""

    def __init__(self, part: "RetryCondition | retry_base | Condition") -> None:
        check_callable("retry", part)
        if isinstance(part, Condition):
            part = part.tenacity
        self.tenacity: retry_base = (
            part if isinstance(part, retry_base) else tenacity.retry_if_exception(part)
        )

    def __call__(self, error: BaseException | RetryCallState) -> bool:
        """Return True if the error is worth a new attempt."""
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
    """Retry errors for which the predicate returns True."""
    return Condition(tenacity.retry_if_exception(predicate))


def retry_if_exception_type(exception_types: ExceptionTypes = Exception) -> Condition:
    """Retry errors of these types."""
    return Condition(tenacity.retry_if_exception_type(exception_types))


def retry_if_not_exception_type(exception_types: ExceptionTypes = Exception) -> Condition:
    """Retry errors of all types but these."""
    return Condition(tenacity.retry_if_not_exception_type(exception_types))


retry_unless_exception_type = retry_if_not_exception_type


def retry_if_exception_message(
    message: str | None = None, match: str | re.Pattern[str] | None = None
) -> Condition:
    """Retry errors with this message, or with a match of the pattern in their message.

    The pattern may match anywhere in the message; Tenacity's matches only at the start.

    Raises:
        TypeError: neither or both of `message` and `match` are given.
    """
    return retry_if_exception(_message_predicate(message, match))


def retry_if_not_exception_message(
    message: str | None = None, match: str | re.Pattern[str] | None = None
) -> Condition:
    """Retry errors without this message, or without a match of the pattern in their message.

    Raises:
        TypeError: neither or both of `message` and `match` are given.
    """
    matches = _message_predicate(message, match)
    return retry_if_exception(lambda error: not matches(error))


def _message_predicate(
    message: str | None, match: str | re.Pattern[str] | None
) -> Callable[[BaseException], bool]:
    if message is not None and match is None:
        return lambda error: str(error) == message
    if match is not None and message is None:
        # Anywhere in the message, as in LlamaIndex Workflows; Tenacity matches at the start only.
        pattern = re.compile(match)
        return lambda error: pattern.search(str(error)) is not None
    raise TypeError("A message is recognised by either 'message' or 'match': give one of them.")


def retry_if_exception_cause_type(exception_types: ExceptionTypes = Exception) -> Condition:
    """Retry errors with an error of these types among their causes, however remote.

    A cause is an error that an error was raised `from`.
    """
    return Condition(tenacity.retry_if_exception_cause_type(exception_types))


def retry_any(*retries: RetryCondition) -> Condition:
    """Retry errors for which at least one condition holds; the same as `|`."""
    return Condition(tenacity.retry_any(*(Condition(retry).tenacity for retry in retries)))


def retry_all(*retries: RetryCondition) -> Condition:
    """Retry errors for which all conditions hold; the same as `&`."""
    return Condition(tenacity.retry_all(*(Condition(retry).tenacity for retry in retries)))


def retry_always() -> Condition:
    """Retry all errors."""
    return Condition(tenacity.retry_always)


def retry_never() -> Condition:
    """Retry no error."""
    return Condition(tenacity.retry_never)
