"""A failed attempt, as the parts of a policy are shown it."""

from datetime import timedelta

from tenacity import RetryCallState, Retrying

Seconds = int | float | timedelta


class FailedAttempt(RetryCallState):
    """What Tenacity's objects look at, and the seed of the waits that draw."""

    def __init__(
        self,
        attempts: int = 1,
        elapsed_time: float = 0.0,
        error: BaseException | None = None,
        *,
        upcoming_sleep: float = 0.0,
        seed: int | None = None,
    ) -> None:
        super().__init__(Retrying(), None, (), {})
        self.attempt_number = attempts
        if error is not None:
            self.set_exception((type(error), error, error.__traceback__))
        # Two readings of a clock would differ by not quite the time that has elapsed.
        self.start_time, self.outcome_timestamp = 0.0, elapsed_time
        self.upcoming_sleep = upcoming_sleep
        self.seed = seed


def check_callable(kind: str, part: object) -> None:
    """Refuse what could not be asked when a step has failed."""
    if not callable(part):
        raise TypeError(f"What a policy is to {kind} by must be callable; {part!r} is not.")
