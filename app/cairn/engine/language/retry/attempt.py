"""A failed attempt, in the form that Tenacity's conditions, waits and stops read."""

from datetime import timedelta

from tenacity import RetryCallState, Retrying

Seconds = int | float | timedelta


class FailedAttempt(RetryCallState):
    """A failed attempt as Tenacity's `RetryCallState`, with a seed for random waits.

    Attributes:
        seed: makes random waits reproducible; `None` for true randomness.
    """

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
        # Set rather than measured, so that the difference is exactly the elapsed time.
        self.start_time, self.outcome_timestamp = 0.0, elapsed_time
        self.upcoming_sleep = upcoming_sleep
        self.seed = seed


def check_callable(kind: str, part: object) -> None:
    """Refuse a part of a policy that cannot be called.

    Raises:
        TypeError: `part` is not callable.
    """
    if not callable(part):
        raise TypeError(f"What a policy is to {kind} by must be callable; {part!r} is not.")
