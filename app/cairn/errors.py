"""Refusals: the errors for requests that cannot be carried out, independent of HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class Refusal(Exception):
    """A request cannot be carried out; the message says what to do.

    Attributes:
        code: the kind of refusal, for programs. Codes never change; `openapi/problems.md` explains
            each.
    """

    code: ClassVar[str]


class NotFound(Refusal):
    """The run, checkpoint, context or workflow does not exist."""

    code = "not-found"


class WorkflowNotLoaded(NotFound):
    """No workflow of that name is loaded."""

    code = "workflow-not-loaded"


class StepNotFound(NotFound):
    """The step has not completed in the run as many times."""

    code = "step-not-found"


class Conflict(Refusal):
    """The request does not fit the present state."""

    code = "conflict"


class RunEnded(Conflict):
    """A run that has ended takes no more events."""

    code = "run-ended"


class EventNotWanted(Conflict):
    """No step takes the event, and the run waits for events of other types."""

    code = "event-not-wanted"


class QuestionAnswered(Conflict):
    """No step takes the event, and the run has had the one that it waited for."""

    code = "question-answered"


class StepGone(Conflict):
    """A delivery pending at the checkpoint is for a step that the workflow no longer has."""

    code = "step-gone"


class RunUnderWay(Conflict):
    """A run that has not ended cannot be deleted."""

    code = "run-under-way"


class ContextBusy(Conflict):
    """A run of the context is under way, and the new run was not to be queued."""

    code = "context-busy"


class ContextOfAnotherWorkflow(Conflict):
    """The context was made for a different workflow."""

    code = "context-of-another-workflow"


class WorkflowsDiffer(Conflict):
    """Runs of different workflows cannot be compared."""

    code = "workflows-differ"


class CheckpointTagged(Conflict):
    """A run with a tag, or with a tagged checkpoint, cannot be deleted, nor its context."""

    code = "checkpoint-tagged"


class NothingLeftToRun(Conflict):
    """The run had ended at the checkpoint: a rerun has no step to execute."""

    code = "nothing-left-to-run"


class FactsUnknown(Conflict):
    """The results that a rerun is to adopt are not known."""

    code = "facts-unknown"


class NotBegun(Conflict):
    """The run has no checkpoint to rerun from."""

    code = "not-begun"


class KeyReused(Conflict):
    """The idempotency key was used before, with a different body."""

    code = "idempotency-key-reused"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a request: its place, as a path of names and positions, and the reason."""

    where: tuple[str | int, ...]
    message: str


MOST_PROBLEMS = 100  # reported of one request: a report is longer than the mistake


def in_words(problems: Sequence[Problem]) -> str:
    """The place and the reason of each problem, and the number of those beyond `MOST_PROBLEMS`."""
    named = [f"{'.'.join(map(str, p.where))}: {p.message}" for p in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        named.append(f"and {len(problems) - MOST_PROBLEMS} more")
    return "; ".join(named)


class Invalid(Refusal):
    """The content of the request is not valid.

    Attributes:
        problems: the mistakes, at most `MOST_PROBLEMS`.
    """

    code = "invalid-request"

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems[:MOST_PROBLEMS])


class InvalidCursor(Invalid):
    """The cursor does not belong to the list."""

    code = "invalid-cursor"


class InvalidEvent(Invalid):
    """The fields do not make an event of the type."""

    code = "invalid-event"


class ChangeDoesNotFit(Invalid):
    """A change that a rerun is to begin with does not fit the checkpoint."""

    code = "change-does-not-fit"


class EventNotTaken(Invalid):
    """The workflow takes no event of this type from outside."""

    code = "event-not-taken"


class NumberTooLarge(Invalid):
    """A number is too large to be stored and read back unchanged."""

    code = "number-too-large"


class TooManyValues(Refusal):
    """The request has more values than the limit."""

    code = "too-many-values"


class Unavailable(Refusal):
    """The request cannot be carried out now; a later one may be.

    Attributes:
        retry_after: seconds to wait before a new try.
    """

    code = "unavailable"

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Damaged(Refusal):
    """Stored data cannot be read back as written: the database is damaged."""

    code = "damaged"
