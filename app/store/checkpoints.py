"""Checkpoints: listed by what they are filtered by, and read whole. Lists read no payloads."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from app.engine.serialization import SealedEvent
from app.engine.snapshot import Delta, Snapshot
from app.errors import NotFound
from app.store import contexts, snapshots
from app.store.blobs import Unpacker
from app.store.pages import Page
from app.store.tables import Checkpoint, Run

SUMMARY: tuple[Any, ...] = (
    col(Checkpoint.id),
    col(Checkpoint.run_id),
    col(Checkpoint.context_id),
    col(Checkpoint.workflow),
    col(Checkpoint.seq),
    col(Checkpoint.parent_id),
    col(Checkpoint.last_completed_step),
    col(Checkpoint.input_event_type),
    col(Checkpoint.output_event_type),
    col(Checkpoint.created_at),
)
EVENTS = (col(Checkpoint.input_event), col(Checkpoint.output_event))


@dataclass(frozen=True, slots=True)
class Filters:
    """What a checkpoint must match, all of it; `None` matches any."""

    last_completed_step: str | None = None
    input_event_type: str | None = None
    output_event_type: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A checkpoint in a list; its events only where they were asked for."""

    id: UUID
    run_id: UUID
    context_id: UUID
    workflow: str
    seq: int
    parent_id: UUID | None
    last_completed_step: str | None
    input_event_type: str | None
    output_event_type: str | None
    created_at: datetime
    input_event: SealedEvent | None = None
    output_event: SealedEvent | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A checkpoint with all there is to it."""

    listed: Listed
    snapshot: Snapshot
    trail: list[tuple[str | None, str | None, Delta]]


def of_run(
    session: Session, run_id: UUID, filters: Filters, events: bool, limit: int, after: str | None
) -> Page[Listed]:
    """A page of a run's checkpoints, oldest first.

    Args:
        after: the `seq` after which the page begins.

    Raises:
        NotFound: there is no such run.
    """
    if session.get(Run, run_id) is None:
        raise NotFound(f"There is no run {run_id}.")
    query = _filtered(filters, events).where(Checkpoint.run_id == run_id)
    if after is not None:
        query = query.where(col(Checkpoint.seq) > int(after))
    found = _rows(session, query.order_by(col(Checkpoint.seq)).limit(limit + 1), events)
    return Page(found[:limit], str(found[limit - 1].seq) if len(found) > limit else None)


def of_context(
    session: Session,
    context_id: UUID,
    filters: Filters,
    events: bool,
    limit: int,
    after: str | None,
) -> Page[Listed]:
    """A page of the checkpoints of all the runs in a context, oldest first.

    Args:
        after: the id after which the page begins.

    Raises:
        NotFound: there is no such context.
    """
    contexts.find(session, context_id)
    query = _filtered(filters, events).where(Checkpoint.context_id == context_id)
    if after is not None:
        query = query.where(col(Checkpoint.id) > UUID(after))
    found = _rows(session, query.order_by(col(Checkpoint.id)).limit(limit + 1), events)
    return Page(found[:limit], str(found[limit - 1].id) if len(found) > limit else None)


def read(session: Session, checkpoint_id: UUID) -> Whole:
    """One checkpoint, whole.

    Raises:
        NotFound: there is none.
    """
    row = find(session, checkpoint_id)
    unpacker = Unpacker(session, (row.input_event, row.output_event))
    listed = Listed(
        **{column.key: getattr(row, column.key) for column in SUMMARY},
        input_event=unpacker.event_or_none(row.input_event),
        output_event=unpacker.event_or_none(row.output_event),
    )
    return Whole(listed, snapshots.at(session, row.run_id, row.seq), snapshots.trail(session, row))


def find(session: Session, checkpoint_id: UUID) -> Checkpoint:
    """The checkpoint's row.

    Raises:
        NotFound: there is none.
    """
    row = session.get(Checkpoint, checkpoint_id)
    if row is None:
        raise NotFound(
            f"There is no checkpoint {checkpoint_id}. GET /runs/{{id}}/checkpoints lists a run's."
        )
    return row


def _filtered(filters: Filters, events: bool) -> Any:
    query = select(*SUMMARY, *(EVENTS if events else ()))
    for column, wanted in (
        (Checkpoint.last_completed_step, filters.last_completed_step),
        (Checkpoint.input_event_type, filters.input_event_type),
        (Checkpoint.output_event_type, filters.output_event_type),
    ):
        if wanted is not None:
            query = query.where(col(column) == wanted)
    return query


def _rows(session: Session, query: Any, events: bool) -> list[Listed]:
    rows = session.execute(query).all()
    if not events:
        return [Listed(*row) for row in rows]
    unpacker = Unpacker(session, (payload for row in rows for payload in row[-2:]))
    return [Listed(*row[:-2], *map(unpacker.event_or_none, row[-2:])) for row in rows]
