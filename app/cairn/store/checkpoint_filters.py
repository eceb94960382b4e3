"""Checkpoint filters: the values that the checkpoints of a search must have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from cairn.engine.core.records import Status
from cairn.store.field_tests import FieldTest
from cairn.store.run_filters import storable
from cairn.store.tables import Checkpoint, Facets, Run, Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFilters:
    """The values that a checkpoint must have; `None`, and an empty sequence, match any.

    A checkpoint matches all of the filters, and of a sequence any value. `created_after` is the
    first moment that matches, and `created_before` the first that does not.

    Attributes:
        tag: tags of the checkpoint itself.
        descendant_of: a run or a checkpoint; the checkpoints of all runs that were rerun from it,
            however far.
        is_head: whether the checkpoint is the newest of its run.
        fields: tests of fields of the checkpoint's events.
    """

    workflow: Sequence[str] = ()
    run_id: UUID | None = None
    context_id: UUID | None = None
    run_status: Sequence[Status] = ()
    last_completed_step: Sequence[str] = ()
    input_event_type: Sequence[str] = ()
    output_event_type: Sequence[str] = ()
    created_after: datetime | None = None
    created_before: datetime | None = None
    tag: Sequence[str] = ()
    descendant_of: UUID | None = None
    is_head: bool | None = None
    fields: Sequence[FieldTest] = ()

    @property
    def match_nothing(self) -> bool:
        """True if all values of a filter hold a NUL, which no name does."""
        named = (self.workflow, self.last_completed_step, self.input_event_type)
        return any(
            values and not storable(values) for values in (*named, self.output_event_type, self.tag)
        )


def conditions(filters: CheckpointFilters) -> list[ColumnElement[bool]]:
    """The conditions of the filters on a checkpoint joined with its facets and its run."""
    found: list[ColumnElement[bool]] = []
    for column, values in (
        (col(Facets.workflow), filters.workflow),
        (col(Facets.last_completed_step), filters.last_completed_step),
        (col(Facets.input_event_type), filters.input_event_type),
        (col(Facets.output_event_type), filters.output_event_type),
        (col(Run.status), filters.run_status),
    ):
        if values:
            found.append(column.in_(storable(values)))
    if filters.created_after is not None:
        found.append(col(Checkpoint.created_at) >= filters.created_after)
    if filters.created_before is not None:
        found.append(col(Checkpoint.created_at) < filters.created_before)
    if filters.tag:
        tagged = select(col(Tag.subject_id)).where(col(Tag.tag).in_(storable(filters.tag)))
        found.append(col(Checkpoint.id).in_(tagged))
    if filters.descendant_of is not None:
        found.append(col(Checkpoint.run_id).in_(_descendants(filters.descendant_of)))
    if filters.is_head is not None:
        later = aliased(Checkpoint)
        has_later = exists().where(
            col(later.run_id) == Checkpoint.run_id, col(later.seq) == Checkpoint.seq + 1
        )
        found.append(~has_later if filters.is_head else has_later)
    return found


def _descendants(of: UUID) -> Any:
    """The ids of the runs that were rerun from a run or a checkpoint, however far."""
    id_: Any = col(Run.id)
    of_it = or_(col(Run.parent_run_id) == of, col(Run.origin_checkpoint_id) == of)
    first: Any = select(id_.label("id")).where(of_it).cte("descendants", recursive=True)
    later = select(id_).join(first, col(Run.parent_run_id) == first.c.id)
    return select(first.union(later).c.id)
