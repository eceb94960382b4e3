"""Policies: the decision whether and when a failed step is tried again."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Real
from typing import Protocol, runtime_checkable

from tenacity.retry import retry_base
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from cairn.engine.language.retry.attempt import FailedAttempt
from cairn.engine.language.retry.conditions import Condition, RetryCondition, retry_always
from cairn.engine.language.retry.stops import Stop, StopCondition, stop_after_attempt
from cairn.engine.language.retry.waits import (
    Wait,
    WaitStrategy,
    wait_exponential,
    wait_fixed,
    wait_random_exponential,
)


@runtime_checkable
class RetryPolicy(Protocol):
    """Decides on a new attempt after a step has failed; any object with this method is a policy.

        class Twice:
            def next(self, elapsed_time, attempts, error):
                return 1.0 if attempts < 2 else None

    The policies of this module accept a `seed`, too, for reproducible random delays. The protocol
    is that of LlamaIndex Workflows.
    """

    def next(self, elapsed_time: float, attempts: int, error: Exception) -> float | None:
        """Return the delay before the next attempt.

        Args:
            elapsed_time: seconds since the first attempt began.
            attempts: the number of failed attempts, 1 after the first failure.
            error: the exception of the last attempt.

        Returns:
            Seconds, 0 or more. `None` gives up: a `@catch_error` step handles the failure, or the
                run fails.
        """


@dataclass(frozen=True, slots=True)
class RetryInfo:
    """The attempts at one event of a step before the present one.

    Attributes:
        retry_number: the number of failed attempts, 0 at the first attempt.
        elapsed_seconds: seconds from the start of the first attempt to the last failure; 0 at the
            first attempt.
        last_exception: the exception of the last failed attempt.
        last_failed_at: the time of the last failure, in UTC.
    """

    retry_number: int = 0
    elapsed_seconds: float = 0.0
    last_exception: Exception | None = None
    last_failed_at: datetime | None = None

    def after(self, error: Exception, elapsed: float) -> "RetryInfo":
        """Return the information for the next attempt, if the present one fails now.

        Args:
            error: the exception of the present attempt.
            elapsed: seconds since the first attempt began.
        """
        return RetryInfo(self.retry_number + 1, elapsed, error, datetime.now(UTC))

    def delay(self, policy: RetryPolicy | None) -> float | None:
        """Return the seconds before the present attempt; `None` if the policy gives up.

        Raises:
            ValueError: the policy has returned neither a finite number of 0 or more nor `None`.
            Exception: raised by the policy.
        """
        if policy is None or self.last_exception is None:
            return None
        # By position and without a seed: the policy of a user may name its parameters freely.
        seconds = policy.next(self.elapsed_seconds, self.retry_number, self.last_exception)
        return None if seconds is None else _checked_delay(seconds)


def _checked_delay(answer: object) -> float:
    # An infinite delay, or a NaN, would hang the run.
    if isinstance(answer, Real) and not isinstance(answer, bool):
        seconds = float(answer)
        if math.isfinite(seconds) and seconds >= 0:
            return seconds
    raise ValueError(f"it must answer with seconds, 0 or more, or with None; not with {answer!r}")


@dataclass(frozen=True, slots=True)
class _TenacityPolicy:
    condition: retry_base
    wait: wait_base
    stop: stop_base

    def next(
        self, elapsed_time: float, attempts: int, error: Exception, *, seed: int | None = None
    ) -> float | None:
        """Return the delay before the next attempt; see `RetryPolicy.next`.

        Equal seeds give equal waits, of all waits but Tenacity's own.
        """
        attempts = max(attempts, 1)  # a direct caller may count from 0
        state = FailedAttempt(attempts, elapsed_time, error, seed=seed)
        if not self.condition(state):
            return None
        state.upcoming_sleep = self.wait(state)  # `stop_before_delay` reads this
        return None if self.stop(state) else state.upcoming_sleep


def retry_policy(
    retry: RetryCondition | retry_base | None = None,
    wait: WaitStrategy | wait_base | None = None,
    stop: StopCondition | stop_base | None = None,
) -> _TenacityPolicy:
    """Build a policy from a condition, a wait and a stop.

        retry_policy(
            retry=retry_if_exception_type((TimeoutError, ConnectionError)),
            wait=wait_exponential(max=30) + wait_random(0, 1),
            stop=stop_after_attempt(5) | stop_after_delay(120),
        )

    Each part can be one of this package, any callable with the signature of `RetryCondition`,
    `WaitStrategy` or `StopCondition`, or a part of Tenacity.

    Args:
        retry: the exceptions that are worth a new attempt; by default any `Exception`.
        wait: the time between attempts; by default 5 seconds.
        stop: the condition for giving up; by default 3 failed attempts.

    Raises:
        TypeError: a part is not callable.
    """
    return _TenacityPolicy(
        Condition(retry_always() if retry is None else retry).tenacity,
        Wait(wait_fixed(5) if wait is None else wait).tenacity,
        Stop(stop_after_attempt(3) if stop is None else stop).tenacity,
    )


@dataclass(frozen=True)
class ConstantDelayRetryPolicy:
    """Tries again after a constant delay, up to a maximum of attempts.

    Attributes:
        maximum_attempts: the number of attempts, the first included.
        delay: seconds between attempts.
    """

    maximum_attempts: int = 3
    delay: float = 5

    def next(
        self, elapsed_time: float, attempts: int, error: Exception, *, seed: int | None = None
    ) -> float | None:
        """Return the delay before the next attempt; see `RetryPolicy.next`."""
        wait = wait_fixed(self.delay)
        policy = retry_policy(wait=wait, stop=stop_after_attempt(self.maximum_attempts))
        return policy.next(elapsed_time, attempts, error, seed=seed)


@dataclass(frozen=True)
class ExponentialBackoffRetryPolicy:
    """Tries again after growing delays, up to a maximum of attempts.

    Attributes:
        maximum_attempts: the number of attempts, the first included.
        initial_delay: seconds before the second attempt.
        multiplier: the factor from one delay to the next.
        max_delay: the upper bound of a delay, in seconds.
        jitter: whether to draw each delay at random between 0 and its full length. Steps that have
            failed at the same time are then tried again at different times.
    """

    maximum_attempts: int = 5
    initial_delay: float = 1.0
    multiplier: float = 2.0
    max_delay: float = 60.0
    jitter: bool = True

    def next(
        self, elapsed_time: float, attempts: int, error: Exception, *, seed: int | None = None
    ) -> float | None:
        """Return the delay before the next attempt; see `RetryPolicy.next`.

        Equal seeds give equal delays.
        """
        kind = wait_random_exponential if self.jitter else wait_exponential
        wait = kind(self.initial_delay, self.multiplier, self.max_delay)
        policy = retry_policy(wait=wait, stop=stop_after_attempt(self.maximum_attempts))
        return policy.next(elapsed_time, attempts, error, seed=seed)
