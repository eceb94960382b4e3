"""Refusals: what Cairn will not do, and what to do about it. They know nothing of HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class Refusal(Exception):
    """Something asked for cannot be done; the message says what to do.

    Attributes:
        code: the kind of refusal, for programs. It never changes, and `openapi/problems.md` says
            what each means.
    """

    code: ClassVar[str]


class NotFound(Refusal):
    """There is no such thing."""

    code = "not-found"


class WorkflowNotLoaded(NotFound):
    """No workflow of that name is loaded."""

    code = "workflow-not-loaded"


class Conflict(Refusal):
    """It does not fit how things stand."""

    code = "conflict"


class RunEnded(Conflict):
    """A run that has ended takes no more events."""

    code = "run-ended"


class EventNotWanted(Conflict):
    """No step takes the event, and the run waits for others."""

    code = "event-not-wanted"


class StepGone(Conflict):
    """A step is gone from the workflow for which something is pending at the checkpoint."""

    code = "step-gone"


class RunUnderWay(Conflict):
    """A run that has not ended is not deleted."""

    code = "run-under-way"


class ContextBusy(Conflict):
    """Another run of the context is under way, and this one was not to wait for it."""

    code = "context-busy"


class ContextOfAnotherWorkflow(Conflict):
    """A context is used with the workflow that it was made for."""

    code = "context-of-another-workflow"


class CheckpointTagged(Conflict):
    """What is tagged is kept."""

    code = "checkpoint-tagged"


class NothingLeftToRun(Conflict):
    """The run had ended at the checkpoint."""

    code = "nothing-left-to-run"


class KeyReused(Conflict):
    """An idempotency key was used for another request."""

    code = "idempotency-key-reused"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where it stands, as a path of names and positions, and why."""

    where: tuple[str | int, ...]
    message: str


MOST_PROBLEMS = 100  # that are told of one request, each in more bytes than it takes to make it


def in_words(problems: Sequence[Problem]) -> str:
    """The problems, each with where it stands."""
    named = [f"{'.'.join(map(str, it.where))}: {it.message}" for it in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        named.append(f"and {len(problems) - MOST_PROBLEMS} more")
    return "; ".join(named)


class Invalid(Refusal):
    """What was sent is not what is needed.

    Attributes:
        problems: each thing that is wrong with it, up to `MOST_PROBLEMS`.
    """

    code = "invalid-request"

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems[:MOST_PROBLEMS])


class InvalidCursor(Invalid):
    """What was sent as a cursor is none of the list."""

    code = "invalid-cursor"


class InvalidEvent(Invalid):
    """The fields that were sent do not make the event."""

    code = "invalid-event"


class EventNotTaken(Invalid):
    """It is no event that the workflow can be told."""

    code = "event-not-taken"


class NumberTooLarge(Invalid):
    """A number is too large to be kept as it is."""

    code = "number-too-large"


class TooManyValues(Refusal):
    """What was sent has more values than are taken."""

    code = "too-many-values"


class Unavailable(Refusal):
    """It cannot be done now, and may be later.

    Attributes:
        retry_after: in how many seconds it is worth another try.
    """

    code = "unavailable"

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Damaged(Refusal):
    """What was stored cannot be read back as it was written."""

    code = "damaged"
