"""Policies: whether a step that has failed is tried again, and when."""

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
    """Decides what becomes of a step that has failed; any object with such a method can.

    The policies made here take a `seed` besides, for whoever wants the same answer twice.
    """

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
        """Seconds until this attempt is made; `None` if it is not.

        Raises:
            ValueError: the policy has answered neither.
            Exception: whatever it has raised.
        """
        if policy is None or self.last_exception is None:
            return None
        # By position and without a seed: a user's own policy need know no more than that.
        seconds = policy.next(self.elapsed_seconds, self.retry_number, self.last_exception)
        return None if seconds is None else _seconds(seconds)


def _seconds(answer: object) -> float:
    # The run would hang on a wait without end, and on one that is no time at all.
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
        """As `RetryPolicy.next`. Equal seeds give equal waits, of Cairn's parts."""
        attempts = max(attempts, 1)  # who asks it directly may count from 0
        state = FailedAttempt(attempts, elapsed_time, error, seed=seed)
        if not self.condition(state):
            return None
        state.upcoming_sleep = self.wait(state)  # some stops look ahead
        return None if self.stop(state) else state.upcoming_sleep


def retry_policy(
    retry: RetryCondition | retry_base | None = None,
    wait: WaitStrategy | wait_base | None = None,
    stop: StopCondition | stop_base | None = None,
) -> _TenacityPolicy:
    """A policy of parts.

        retry_policy(
            retry=retry_if_exception_type((TimeoutError, ConnectionError)),
            wait=wait_exponential(max=30) + wait_random(0, 1),
            stop=stop_after_attempt(5) | stop_after_delay(120),
        )

    A part can also be a callable of your own (see `RetryCondition`, `WaitStrategy` and
    `StopCondition`), or any condition, wait or stop of Tenacity.

    Args:
        retry: which exceptions are worth another attempt; by default any `Exception`.
        wait: how long to wait; by default 5 seconds.
        stop: when to give up; by default after 3 attempts.

    Raises:
        TypeError: a part cannot be called.
    """
    return _TenacityPolicy(
        Condition(retry_always() if retry is None else retry).tenacity,
        Wait(wait_fixed(5) if wait is None else wait).tenacity,
        Stop(stop_after_attempt(3) if stop is None else stop).tenacity,
    )


@dataclass(frozen=True)
class ConstantDelayRetryPolicy:
    """Try again after the same delay, in seconds, until that many attempts have failed."""

    maximum_attempts: int = 3
    delay: float = 5

    def next(
        self, elapsed_time: float, attempts: int, error: Exception, *, seed: int | None = None
    ) -> float | None:
        """As `RetryPolicy.next`."""
        wait = wait_fixed(self.delay)
        policy = retry_policy(wait=wait, stop=stop_after_attempt(self.maximum_attempts))
        return policy.next(elapsed_time, attempts, error, seed=seed)


@dataclass(frozen=True)
class ExponentialBackoffRetryPolicy:
    """Try again after delays that grow, in seconds, until that many attempts have failed.

    Attributes:
        multiplier: by how much each delay is longer than the one before.
        jitter: whether each is drawn at random from nothing to that: steps that have failed
            together are then not all tried again together.
    """

    maximum_attempts: int = 5
    initial_delay: float = 1.0
    multiplier: float = 2.0
    max_delay: float = 60.0
    jitter: bool = True

    def next(
        self, elapsed_time: float, attempts: int, error: Exception, *, seed: int | None = None
    ) -> float | None:
        """As `RetryPolicy.next`. Equal seeds give equal delays."""
        kind = wait_random_exponential if self.jitter else wait_exponential
        wait = kind(self.initial_delay, self.multiplier, self.max_delay)
        policy = retry_policy(wait=wait, stop=stop_after_attempt(self.maximum_attempts))
        return policy.next(elapsed_time, attempts, error, seed=seed)
