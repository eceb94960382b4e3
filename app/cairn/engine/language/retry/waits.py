"""Waits: the delay before a step is tried again, in seconds or as a `timedelta`."""

import math
import random
from typing import Protocol

import tenacity
from tenacity import RetryCallState
from tenacity.wait import wait_base

from cairn.engine.language.retry.attempt import FailedAttempt, Seconds, check_callable


class WaitStrategy(Protocol):
    """A callable that returns the delay before the next attempt."""

    def __call__(self, attempts: int, /, *, seed: int | None = None) -> float:
        """Return the delay in seconds.

        Args:
            attempts: the number of attempts after the first, 0 after the first failure.
            seed: for a random delay; equal seeds must give equal delays.
        """


class Wait:
    """A `WaitStrategy` that adds to further waits: `a + b`, or `sum(waits)`."""

    def __init__(self, part: "WaitStrategy | wait_base | Wait") -> None:
        check_callable("wait", part)
        if isinstance(part, Wait):
            part = part.tenacity
        self.tenacity: wait_base = part if isinstance(part, wait_base) else _CalledWait(part)

    def __call__(
        self,
        attempts: int | RetryCallState = 0,
        *,
        seed: int | None = None,
        retry_state: RetryCallState | None = None,  # the name that Tenacity's `wait_chain` passes
    ) -> float:
        """Return the delay in seconds, after this number of attempts after the first."""
        state = retry_state or attempts
        if not isinstance(state, RetryCallState):
            state = FailedAttempt(state + 1, seed=seed)
        return self.tenacity(state)

    def __add__(self, other: WaitStrategy | wait_base) -> "Wait":
        return wait_combine(self, Wait(other))

    def __radd__(self, other: WaitStrategy | wait_base | int) -> "Wait":
        if isinstance(other, int):
            return self if other == 0 else NotImplemented  # sum() begins with 0
        return wait_combine(Wait(other), self)


class _CalledWait(wait_base):
    def __init__(self, wait: WaitStrategy) -> None:
        self._wait = wait

    def __call__(self, retry_state: RetryCallState) -> float:
        return self._wait(retry_state.attempt_number - 1, seed=_seed(retry_state))


class _DrawnWait(wait_base):
    """A random delay between two waits, at most `longest`, from a seed if given.

    Tenacity's random waits accept no seed.
    """

    def __init__(self, low: wait_base, high: wait_base, longest: Seconds = math.inf) -> None:
        self._low, self._high = low, high
        self._longest = tenacity.wait_fixed(longest)

    def __call__(self, retry_state: RetryCallState) -> float:
        seed = _seed(retry_state)
        draw = random.uniform if seed is None else random.Random(seed).uniform
        return min(
            draw(self._low(retry_state), self._high(retry_state)), self._longest(retry_state)
        )


def _seed(state: RetryCallState) -> int | None:
    return state.seed if isinstance(state, FailedAttempt) else None


def wait_fixed(wait: Seconds) -> Wait:
    """Wait the same time before each attempt."""
    return Wait(tenacity.wait_fixed(wait))


def wait_none() -> Wait:
    """Try again at once."""
    return wait_fixed(0)


def wait_incrementing(
    start: Seconds = 0, increment: Seconds = 100, max: Seconds = math.inf
) -> Wait:
    """Wait `start` first, then longer by `increment` each time, within 0 and `max`."""
    return Wait(tenacity.wait_incrementing(start, increment, max))


def wait_exponential(
    multiplier: float = 1, exp_base: float = 2, max: Seconds = 60, min: Seconds = 0
) -> Wait:
    """Wait `multiplier` seconds, then `exp_base` times as long each time.

    The delay stays within `min` and `max`.
    """
    return Wait(_exponential(multiplier, exp_base, max, min))


def wait_random(min: Seconds = 0, max: Seconds = 1) -> Wait:
    """Wait a random time between `min` and `max`."""
    return Wait(_DrawnWait(tenacity.wait_fixed(min), tenacity.wait_fixed(max)))


def wait_random_exponential(
    multiplier: float = 1, exp_base: float = 2, max: Seconds = 60, min: Seconds = 0
) -> Wait:
    """Wait a random time between `min` and the delay of `wait_exponential`.

    Steps that have failed at the same time are then tried again at different times.
    """
    longest = _exponential(multiplier, exp_base, max, min)
    return Wait(_DrawnWait(tenacity.wait_fixed(min), longest))


wait_full_jitter = wait_random_exponential


def wait_exponential_jitter(
    initial: float = 1,
    exp_base: float = 2,
    max: Seconds = 60,
    jitter: Seconds = 1,
    min: Seconds = 0,
    multiplier: float = 1,
) -> Wait:
    """Wait as `wait_exponential` does, and up to `jitter` seconds more, within `min` and `max`.

    `initial` and `multiplier` are two names for the first delay, of which the product counts.
    """
    shortest = _exponential(initial * multiplier, exp_base, max, min)
    return Wait(_DrawnWait(shortest, shortest + tenacity.wait_fixed(jitter), max))


def _exponential(
    multiplier: float, exp_base: float, max: Seconds, min: Seconds
) -> tenacity.wait_exponential:
    return tenacity.wait_exponential(multiplier, max, exp_base, min)


def wait_chain(*strategies: WaitStrategy) -> Wait:
    """Wait as the first strategy says, then as the second, and so on; the last one repeats."""
    return Wait(tenacity.wait_chain(*(Wait(wait).tenacity for wait in strategies)))


def wait_combine(*strategies: WaitStrategy) -> Wait:
    """Wait the sum of all delays; the same as `+`."""
    return Wait(tenacity.wait_combine(*(Wait(wait).tenacity for wait in strategies)))
