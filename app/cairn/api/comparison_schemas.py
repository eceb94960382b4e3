"""The JSON of comparisons, as Pydantic models."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter

from cairn.api.schemas import ErrorOut, EventOut, List, RunOut
from cairn.engine.core.records import Status
from cairn.engine.core.snapshot import Delivery
from cairn.service.aligning import Pair
from cairn.service.comparisons import (
    RunComparison,
    became_pending,
    settled,
    state_patch,
)
from cairn.service.patches import Operation
from cairn.store.ancestry import Link
from cairn.store.comparing import TwoCheckpoints
from cairn.store.footprint import Footprint
from cairn.store.lineage import Relative
from cairn.store.passages import Passed
from cairn.store.run_views import RunView


class Addition(BaseModel):
    """An operation of a JSON Patch: a value that is new."""

    op: Literal["add"]
    path: str = Field(description="A JSON Pointer (RFC 6901).")
    value: Any


class Removal(BaseModel):
    """An operation of a JSON Patch: a value that is gone."""

    op: Literal["remove"]
    path: str = Field(description="A JSON Pointer (RFC 6901).")
    old: Any = Field(description="The value that is gone.")


class Replacement(BaseModel):
    """An operation of a JSON Patch: a value in the place of another."""

    op: Literal["replace"]
    path: str = Field(description="A JSON Pointer (RFC 6901).")
    value: Any
    old: Any = Field(description="The value that was there before.")


OperationOut = Annotated[Addition | Removal | Replacement, Field(discriminator="op")]

OPERATIONS: TypeAdapter[list[OperationOut]] = TypeAdapter(list[OperationOut])


def operations_out(operations: list[Operation]) -> list[OperationOut]:
    """The models of a patch's operations."""
    return OPERATIONS.validate_python(operations)


class DeliveryOut(BaseModel):
    """An event on its way to a step."""

    step: str
    event_type: str
    event: EventOut

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryOut":
        """The model of a delivery."""
        event = EventOut.of(delivery.event)
        return cls(step=delivery.step, event_type=event.type, event=event)


class CheckpointDiff(BaseModel):
    """The differences between a checkpoint and another one."""

    checkpoint_id: UUID
    against_id: UUID | None = Field(
        description="The checkpoint that it is compared with; null for the beginning of a run."
    )
    state: list[OperationOut] = Field(
        description="A JSON Patch (RFC 6902) from the other state to this one, with the old values."
    )
    became_pending: list[DeliveryOut] = Field(description="Pending here, and not at the other.")
    settled: list[DeliveryOut] = Field(description="Pending at the other, and not here any more.")
    input_event: EventOut | None = Field(description="The event that the checkpoint's step took.")
    output_event: EventOut | None = Field(description="The event that the checkpoint's step gave.")

    @classmethod
    def of(cls, found: TwoCheckpoints) -> "CheckpointDiff":
        """The model of the differences."""
        taken, given = found.checkpoint.input_event, found.checkpoint.output_event
        return cls(
            checkpoint_id=found.checkpoint.id,
            against_id=found.against,
            state=operations_out(state_patch(found.before, found.after)),
            became_pending=[DeliveryOut.of(it) for it in became_pending(found)],
            settled=[DeliveryOut.of(it) for it in settled(found)],
            input_event=None if taken is None else EventOut.of(taken),
            output_event=None if given is None else EventOut.of(given),
        )


class ComparedRun(BaseModel):
    """A run in a comparison."""

    id: UUID
    status: Status
    result: Any
    error: ErrorOut | None

    @classmethod
    def of(cls, run: RunView) -> "ComparedRun":
        """The model of a run in a comparison."""
        out = RunOut.of(run)
        return cls(id=out.id, status=out.status, result=out.result, error=out.error)


class Ancestor(BaseModel):
    """The last checkpoint that two runs share."""

    checkpoint_id: UUID
    run_id: UUID
    seq: int | None = Field(description="Null if the checkpoint is deleted.")

    @classmethod
    def of(cls, link: Link) -> "Ancestor | None":
        """The model of the last checkpoint that two runs share; `None` without a checkpoint."""
        if link.checkpoint_id is None:
            return None
        return cls(checkpoint_id=link.checkpoint_id, run_id=link.run_id, seq=link.seq)


class ComparedCheckpoint(BaseModel):
    """A checkpoint in a comparison."""

    checkpoint_id: UUID
    run_id: UUID = Field(description="The run, or a run that it was rerun from.")
    seq: int
    input_event_type: str | None
    output_event_type: str | None
    seconds: float | None = Field(
        description="Since the run's checkpoint before, or since the run began; null if not known."
    )

    @classmethod
    def of(cls, passed: Passed | None) -> "ComparedCheckpoint | None":
        """The model of a checkpoint in a comparison; `None` for none."""
        if passed is None:
            return None
        return cls(
            checkpoint_id=passed.id,
            run_id=passed.run_id,
            seq=passed.seq,
            input_event_type=passed.input_event_type,
            output_event_type=passed.output_event_type,
            seconds=passed.seconds,
        )


class ComparedPair(BaseModel):
    """The checkpoints of one step in both runs: the first with the first, and so on."""

    step: str | None = Field(description="The step that completed; null for other facts.")
    occurrence: int = Field(description="1 for the first of its kind after the common ancestor.")
    run: ComparedCheckpoint | None = Field(description="Null if the run has none.")
    other: ComparedCheckpoint | None = Field(description="Null if the other run has none.")
    equal: bool = Field(description="True if both are there, and both events are equal.")
    input_event_equal: bool
    output_event_equal: bool

    @classmethod
    def of(cls, pair: Pair) -> "ComparedPair":
        """The model of a pair."""
        return cls(
            step=pair.step,
            occurrence=pair.occurrence,
            run=ComparedCheckpoint.of(pair.one),
            other=ComparedCheckpoint.of(pair.other),
            equal=pair.is_equal,
            input_event_equal=pair.has_equal_inputs,
            output_event_equal=pair.has_equal_outputs,
        )


class RunsCompared(BaseModel):
    """Two runs, side by side, from the last checkpoint that both share."""

    run: ComparedRun
    other: ComparedRun
    common_ancestor: Ancestor | None = Field(
        description="Null if the runs share no checkpoint: they are compared from the beginning."
    )
    steps: list[ComparedPair] = Field(description="In the order of the run; at most 1,000.")
    truncated: bool = Field(
        description="True if the runs have more checkpoints than were compared."
    )
    first_divergence: ComparedPair | None = Field(
        description="The first of the steps that differs, or that only one of the runs has."
    )
    state: list[OperationOut] = Field(
        description="A JSON Patch (RFC 6902) from the run's state, as it stands, to the other's."
    )

    @classmethod
    def of(cls, comparison: RunComparison) -> "RunsCompared":
        """The model of a comparison."""
        found, diverged = comparison.found, comparison.first_divergence
        return cls(
            run=ComparedRun.of(found.runs[0]),
            other=ComparedRun.of(found.runs[1]),
            common_ancestor=None if found.ancestor is None else Ancestor.of(found.ancestor),
            steps=[ComparedPair.of(pair) for pair in comparison.pairs],
            truncated=comparison.is_truncated,
            first_divergence=None if diverged is None else ComparedPair.of(diverged),
            state=operations_out(state_patch(*found.ends)),
        )


class RelativeOut(BaseModel):
    """A run in a tree of reruns."""

    id: UUID
    workflow: str
    status: Status
    parent_run_id: UUID | None = Field(description="The run it was rerun from.")
    origin_checkpoint_id: UUID | None = Field(description="The checkpoint it was rerun from.")
    origin_seq: int | None = Field(
        description="That checkpoint's `seq` in its run; null if the run is deleted."
    )
    name: str | None
    tags: list[str]
    created_at: datetime

    @classmethod
    def of(cls, relative: Relative) -> "RelativeOut":
        """The model of a run in a tree of reruns."""
        own = {name: getattr(relative, name) for name in cls.model_fields.keys() - {"name", "tags"}}
        annotation = relative.annotation
        return cls(**own, name=annotation.name, tags=list(annotation.tags))


class LineageOut(List[RelativeOut]):
    """Some of the runs in a tree of reruns, and where the next ones begin."""


class StorageOut(BaseModel):
    """The bytes that a run takes in the database, without indexes and the like."""

    checkpoint_count: int
    own_bytes: int = Field(description="Of the run alone: its rows, and blobs of its own.")
    shared_bytes: int = Field(description="Of blobs that other runs or contexts have as well.")
    row_bytes: int = Field(description="Of the own bytes, those in rows.")
    own_blobs: int
    shared_blobs: int

    @classmethod
    def of(cls, footprint: Footprint) -> "StorageOut":
        """The model of a footprint."""
        return cls(
            checkpoint_count=footprint.checkpoint_count,
            own_bytes=footprint.row_bytes + footprint.own_blob_bytes,
            shared_bytes=footprint.shared_blob_bytes,
            row_bytes=footprint.row_bytes,
            own_blobs=footprint.own_blobs,
            shared_blobs=footprint.shared_blobs,
        )
