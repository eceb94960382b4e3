"""Records: checkpoints as a journal writes them, and the reason of a run's end."""

from typing import Literal, NamedTuple
from uuid import UUID

from cairn.engine.core.facts import Caught, Completed, Fact, Received, TimedOut, Waiting
from cairn.engine.core.snapshot import Delta, Snapshot
from cairn.engine.values.exception_json import message_of
from cairn.engine.values.sealed import SealedEvent

Status = Literal["queued", "running", "waiting", "completed", "failed", "cancelled"]
ENDED: frozenset[Status] = frozenset({"completed", "failed", "cancelled"})


class Head(NamedTuple):
    """The position of a run: its newest checkpoint, or its origin's before it has one."""

    checkpoint: UUID | None = None
    seq: int = 0

    @property
    def number(self) -> int | None:
        """The checkpoint's id as a number."""
        return None if self.checkpoint is None else self.checkpoint.int


class Failure(NamedTuple):
    """Why a run failed."""

    type: str
    message: str
    step: str | None = None


class End(NamedTuple):
    """The run cannot go on: a step failed for good, the time is up, or the run was cancelled.

    Attributes:
        attempts: the number of attempts at the step.
        elapsed_seconds: from the beginning of the first attempt to the end of the last.
    """

    status: Status
    error: BaseException
    step: str | None = None
    attempts: int = 0
    elapsed_seconds: float = 0.0

    @property
    def failure(self) -> Failure:
        """The end as a journal writes it."""
        return Failure(type(self.error).__name__, message_of(self.error), self.step)


class Record(NamedTuple):
    """A checkpoint as a journal writes it: a run after one more fact.

    Attributes:
        number: the checkpoint's id, as a number.
        seq: the place in the run, from 1.
        parent_number: the id of the checkpoint before.
        message: the id of the message that the fact consumed, if it consumed one.
        fact: the fact.
        before: the snapshot that the fact has changed.
        delta: the change from that snapshot.
    """

    number: int
    run: UUID
    seq: int
    parent_number: int | None
    last_completed_step: str | None
    input_event: SealedEvent | None
    output_event: SealedEvent | None
    message: UUID | None
    fact: Fact
    before: Snapshot
    delta: Delta
    snapshot: Snapshot

    @property
    def id(self) -> UUID:
        """The checkpoint's id."""
        return UUID(int=self.number)

    @property
    def first_id(self) -> int:
        """The first of the ids that the fact has given to events."""
        return self.before.next_id

    @property
    def completed(self) -> int | None:
        """The id of the delivery whose step has completed; `None` after other facts."""
        return self.fact.delivery if isinstance(self.fact, Completed) else None

    @property
    def parent(self) -> UUID | None:
        """The id of the checkpoint before."""
        return None if self.parent_number is None else UUID(int=self.parent_number)


def record(
    number: int,
    run: UUID,
    parent: int | None,
    seq: int,
    fact: Fact,
    message: UUID | None,
    before: Snapshot,
    delta: Delta,
) -> Record:
    """The checkpoint that the fact leaves."""
    step: str | None = None
    taken: SealedEvent | None = None
    given: SealedEvent | None = None
    match fact:
        case Completed():
            done = before.deliveries[fact.delivery]
            step, taken, given = done.step, done.event, fact.output
        case Received(sent):
            given = sent.event
        case TimedOut():
            taken = before.deliveries[fact.delivery].event
        case Caught():
            taken, given = before.deliveries[fact.delivery].event, fact.failure
        case Waiting(wait):
            taken, given = before.deliveries[wait.delivery].event, wait.asked
    return Record(
        number,
        run,
        seq,
        parent,
        step,
        taken,
        given,
        message,
        fact,
        before,
        delta,
        before.after(delta),
    )
