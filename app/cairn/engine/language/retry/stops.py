"""Stops: the conditions under which a step is not tried again."""

from typing import Protocol

import tenacity
from tenacity import RetryCallState
from tenacity.stop import stop_base

from cairn.engine.language.retry.attempt import FailedAttempt, Seconds, check_callable


class StopCondition(Protocol):
    """A callable that decides whether to give up."""

    def __call__(
        self, attempts: int, elapsed_time: float, /, *, upcoming_sleep: float = 0.0
    ) -> bool:
        """Return True to give up.

        Args:
            attempts: the number of failed attempts, 1 after the first.
            elapsed_time: seconds since the first attempt began.
            upcoming_sleep: seconds of the delay that would come next.
        """


class Stop:
    """A `StopCondition` that combines: `a | b` is the earlier stop, `a & b` the later."""

    def __init__(self, part: "StopCondition | stop_base | Stop") -> None:
        check_callable("stop", part)
        # Tenacity's `stop_never` is used without a call, and so may be this one.
        if part is stop_never:  # type: ignore[comparison-overlap]
            part = stop_never()
        if isinstance(part, Stop):
            part = part.tenacity
        self.tenacity: stop_base = part if isinstance(part, stop_base) else _CalledStop(part)

    def __call__(
        self,
        attempts: int | RetryCallState,
        elapsed_time: float = 0.0,
        *,
        upcoming_sleep: float = 0.0,
    ) -> bool:
        """Return True to give up after this number of failed attempts."""
        state = attempts
        if not isinstance(state, RetryCallState):
            state = FailedAttempt(state, elapsed_time, upcoming_sleep=upcoming_sleep)
        return bool(self.tenacity(state))

    def __or__(self, other: StopCondition | stop_base) -> "Stop":
        return stop_any(self, Stop(other))

    def __ror__(self, other: StopCondition | stop_base) -> "Stop":
        return stop_any(Stop(other), self)

    def __and__(self, other: StopCondition | stop_base) -> "Stop":
        return stop_all(self, Stop(other))

    def __rand__(self, other: StopCondition | stop_base) -> "Stop":
        return stop_all(Stop(other), self)


class _CalledStop(stop_base):
    def __init__(self, stop: StopCondition) -> None:
        self._stop = stop

    def __call__(self, retry_state: RetryCallState) -> bool:
        elapsed = retry_state.seconds_since_start or 0.0
        return self._stop(
            retry_state.attempt_number, elapsed, upcoming_sleep=retry_state.upcoming_sleep
        )


def stop_after_attempt(max_attempt_number: int) -> Stop:
    """Give up once this number of attempts has failed."""
    return Stop(tenacity.stop_after_attempt(max_attempt_number))


def stop_after_delay(max_delay: Seconds) -> Stop:
    """Give up once this time, in seconds, has passed since the first attempt began."""
    return Stop(tenacity.stop_after_delay(max_delay))


def stop_before_delay(max_delay: Seconds) -> Stop:
    """Give up if this time, in seconds, would have passed before the next attempt."""
    return Stop(tenacity.stop_before_delay(max_delay))


def stop_any(*stops: StopCondition) -> Stop:
    """Give up once at least one stop says so; the same as `|`."""
    return Stop(tenacity.stop_any(*(Stop(stop).tenacity for stop in stops)))


def stop_all(*stops: StopCondition) -> Stop:
    """Give up once all stops say so; the same as `&`."""
    return Stop(tenacity.stop_all(*(Stop(stop).tenacity for stop in stops)))


def stop_never() -> Stop:
    """Never give up; the condition alone decides."""
    return Stop(tenacity.stop_never)
