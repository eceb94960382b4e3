"""The JSON of a run's stream, as Pydantic models."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from cairn.api.schemas import CheckpointOut, EventOut, List, checkpoint_out
from cairn.engine.core.records import Status
from cairn.store.stream import StreamItem


class Entry(BaseModel):
    """An entry of a run's stream."""

    position: str = Field(
        description="Where the entry stands: the last checkpoint's `seq`, and a number. Pass it as "
        "`after`, or as `Last-Event-ID`."
    )
    at: datetime


class StreamedOut(Entry):
    """An event that a step has written to the stream."""

    event: Literal["stream"]
    step: str
    delivery: int = Field(description="Of the event that the step works on; unique in the run.")
    attempt: int = Field(description="Which attempt at the delivery wrote it, from 1.")
    data: EventOut | None = Field(description="The event; null if it is damaged.")


class CheckpointedOut(Entry):
    """A checkpoint: a step has completed, or an event has come from outside."""

    event: Literal["checkpoint"]
    checkpoint: CheckpointOut


class StatusOut(Entry):
    """A status that the run has from then on."""

    event: Literal["status"]
    status: Status


class AttemptErrorOut(BaseModel):
    """Why an attempt failed."""

    type: str = Field(description="The exception's class; `Interrupted` if the process ended.")
    message: str


class AttemptOut(Entry):
    """An attempt that failed: what it has written to the stream came to nothing."""

    event: Literal["attempt"]
    step: str
    delivery: int
    attempt: int
    error: AttemptErrorOut
    next_at: datetime | None = Field(description="When the next attempt begins, if one does.")


EntryOut = Annotated[
    StreamedOut | CheckpointedOut | StatusOut | AttemptOut, Field(discriminator="event")
]


class EntryList(List[EntryOut]):
    """Some of a run's stream, and where the next entries begin."""

    is_over: bool = Field(description="True if the run has ended, and nothing comes after these.")


class AttemptList(List[AttemptOut]):
    """Some of a run's failed attempts, and where the next ones begin."""

    run_id: UUID


def entry_out(item: StreamItem) -> StreamedOut | CheckpointedOut | StatusOut | AttemptOut:
    """The model of an entry."""
    values: dict[str, Any] = {"position": str(item.position), "at": item.at, "event": item.kind}
    if item.checkpoint is not None:
        return CheckpointedOut(**values, checkpoint=checkpoint_out(item.checkpoint, events=False))
    if item.status is not None:
        return StatusOut(**values, status=item.status)
    if item.failure is not None:
        return attempt_out(item)
    values |= {"step": item.step, "delivery": item.delivery, "attempt": item.attempt}
    return StreamedOut(**values, data=None if item.event is None else EventOut.of(item.event))


def attempt_out(item: StreamItem) -> AttemptOut:
    """The model of a failed attempt."""
    assert item.failure is not None  # the item is a failed attempt
    return AttemptOut.model_validate(
        {
            "position": str(item.position),
            "at": item.at,
            "event": item.kind,
            "step": item.step,
            "delivery": item.delivery,
            "attempt": item.attempt,
            "error": {"type": item.failure.type, "message": item.failure.message},
            "next_at": item.failure.next_at,
        }
    )
