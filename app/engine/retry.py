"""Retry policies: whether a step that has failed is tried again, and when. Tenacity underneath.

Tenacity's conditions (`retry_if_...`), waits (`wait_...`) and stops (`stop_...`) can be imported
from here, and combined as Tenacity combines them.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

from tenacity import RetryCallState, Retrying
from tenacity.retry import (
    retry_all,
    retry_any,
    retry_base,
    retry_if_exception,
    retry_if_exception_cause_type,
    retry_if_exception_message,
    retry_if_exception_type,
    retry_if_not_exception_message,
    retry_if_not_exception_type,
    retry_unless_exception_type,
)
from tenacity.stop import (
    stop_after_attempt,
    stop_after_delay,
    stop_all,
    stop_any,
    stop_base,
    stop_before_delay,
    stop_never,
)
from tenacity.wait import (
    wait_base,
    wait_chain,
    wait_combine,
    wait_exponential,
    wait_exponential_jitter,
    wait_fixed,
    wait_incrementing,
    wait_none,
    wait_random,
    wait_random_exponential,
)

__all__ = [
    "ConstantDelayRetryPolicy",
    "ExponentialBackoffRetryPolicy",
    "RetryInfo",
    "RetryPolicy",
    "retry_all",
    "retry_any",
    "retry_if_exception",
    "retry_if_exception_cause_type",
    "retry_if_exception_message",
    "retry_if_exception_type",
    "retry_if_not_exception_message",
    "retry_if_not_exception_type",
    "retry_policy",
    "retry_unless_exception_type",
    "stop_after_attempt",
    "stop_after_delay",
    "stop_all",
    "stop_any",
    "stop_before_delay",
    "stop_never",
    "wait_chain",
    "wait_combine",
    "wait_exponential",
    "wait_exponential_jitter",
    "wait_fixed",
    "wait_full_jitter",
    "wait_incrementing",
    "wait_none",
    "wait_random",
    "wait_random_exponential",
]

wait_full_jitter = wait_random_exponential


@runtime_checkable
class RetryPolicy(Protocol):
    """Decides what becomes of a step that has failed; any object with such a method can."""

    def next(self, elapsed_time: float, attempts: int, error: Exception) -> float | None:
        """How long to wait before the step is tried again.

        Args:
            elapsed_time: seconds since the first attempt began.
            attempts: how many attempts have failed, 1 at the first failure.
            error: what the last one raised.

        Returns:
            Seconds; `None` gives up, and the run fails.
        """


@dataclass(frozen=True, slots=True)
class RetryInfo:
    """How often a step has been tried.

    Attributes:
        retry_number: 0 at the first attempt.
        elapsed_seconds: since the first attempt began; 0 at the first.
        last_exception: what the attempt before raised.
        last_failed_at: when, in UTC.
    """

    retry_number: int = 0
    elapsed_seconds: float = 0.0
    last_exception: Exception | None = None
    last_failed_at: datetime | None = None

    def after(self, error: Exception, elapsed: float) -> "RetryInfo":
        """The next attempt's, when this one has failed."""
        return RetryInfo(self.retry_number + 1, elapsed, error, datetime.now(UTC))

    def delay(self, policy: RetryPolicy | None) -> float | None:
        """Seconds until this attempt is made; `None` if it is not."""
        if policy is None or self.last_exception is None:
            return None
        return policy.next(self.elapsed_seconds, self.retry_number, self.last_exception)


FIRST_TRY = RetryInfo()


@dataclass(frozen=True, slots=True)
class _TenacityPolicy:
    condition: retry_base
    wait: wait_base
    stop: stop_base

    def next(self, elapsed_time: float, attempts: int, error: Exception) -> float | None:
        """As `RetryPolicy.next`."""
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = attempts
        state.set_exception((type(error), error, error.__traceback__))
        state.start_time = time.monotonic() - elapsed_time
        state.outcome_timestamp = state.start_time + elapsed_time
        if not self.condition(state):
            return None
        seconds = self.wait(state)
        state.upcoming_sleep = seconds  # some stops look ahead
        return None if self.stop(state) else seconds


def retry_policy(
    retry: retry_base | None = None,
    wait: wait_base | None = None,
    stop: stop_base | None = None,
) -> RetryPolicy:
    """A policy of Tenacity's parts.

        retry_policy(
            retry=retry_if_exception_type((TimeoutError, ConnectionError)),
            wait=wait_exponential(max=30),
            stop=stop_after_attempt(5),
        )

    Args:
        retry: which exceptions are worth another attempt; by default any `Exception`.
        wait: how long to wait; by default 5 seconds.
        stop: when to give up; by default after 3 attempts.
    """
    return _TenacityPolicy(
        retry or retry_if_exception_type(Exception),
        wait or wait_fixed(5),
        stop or stop_after_attempt(3),
    )


def ConstantDelayRetryPolicy(  # the name users of the language know
    maximum_attempts: int = 3, delay: float = 5
) -> RetryPolicy:
    """Try again after the same delay, in seconds, until that many attempts have failed."""
    return retry_policy(wait=wait_fixed(delay), stop=stop_after_attempt(maximum_attempts))


def ExponentialBackoffRetryPolicy(
    initial_delay: float = 1.0,
    multiplier: float = 2.0,
    max_delay: float = 60.0,
    maximum_attempts: int = 5,
    jitter: bool = True,
) -> RetryPolicy:
    """Try again after delays that grow, in seconds, until that many attempts have failed.

    Args:
        multiplier: by how much each delay is longer than the one before.
        jitter: whether each is drawn at random from nothing to that: steps that have failed
            together are then not all tried again together.
    """
    kind = wait_random_exponential if jitter else wait_exponential
    wait = kind(multiplier=initial_delay, exp_base=multiplier, max=max_delay)
    return retry_policy(wait=wait, stop=stop_after_attempt(maximum_attempts))
