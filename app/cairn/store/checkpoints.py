"""Checkpoints: listed by filters, and read whole. Lists read no payloads but asked-for events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, union_all
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col

from cairn.engine.core.snapshot import Delta, Snapshot
from cairn.engine.values.sealed import SealedEvent
from cairn.store import annotations, contexts, facets, not_found, pages, sizes, snapshots
from cairn.store.annotations import NO_ANNOTATION, Annotation
from cairn.store.blobs import Unpacker
from cairn.store.facets import Filters
from cairn.store.pages import Page
from cairn.store.tables import Checkpoint, Facets, Run

SUMMARY: tuple[Any, ...] = (
    col(Checkpoint.id),
    col(Checkpoint.run_id),
    col(Checkpoint.context_id),
    col(Facets.workflow),
    col(Checkpoint.seq),
    col(Checkpoint.parent_id),
    col(Facets.last_completed_step),
    col(Facets.input_event_type),
    col(Facets.output_event_type),
    col(Checkpoint.created_at),
)
NAMES = [column.key for column in SUMMARY]
EVENTS: tuple[Any, ...] = (col(Checkpoint.input_event), col(Checkpoint.output_event))


@dataclass(frozen=True, slots=True)
class CheckpointSummary:
    """A checkpoint in a list; its events are `None` unless the list was asked for events."""

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
    annotation: Annotation = NO_ANNOTATION
    input_event: SealedEvent | None = None
    output_event: SealedEvent | None = None


@dataclass(frozen=True, slots=True)
class CheckpointDetail:
    """A checkpoint, whole.

    Attributes:
        listed: the checkpoint as in a list, with its events.
        snapshot: the snapshot at the checkpoint.
        trail: as `snapshots.trail`.
    """

    listed: CheckpointSummary
    snapshot: Snapshot
    trail: list[tuple[str | None, str | None, Delta]]


def of_run(
    session: Session, run_id: UUID, filters: Filters, events: bool, limit: int, after: str | None
) -> Page[CheckpointSummary]:
    """A page of a run's checkpoints, oldest first.

    Args:
        session: the session.
        run_id: the run's id.
        filters: the values that the checkpoints must have.
        events: whether the checkpoints are shown with their events.
        limit: the number of checkpoints on the page, at most.
        after: the `seq` after which the page begins; `None` for the first page.

    Raises:
        NotFound: there is no such run.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise not_found.run(run_id)
    order = col(Checkpoint.seq)
    which = [col(Checkpoint.run_id) == run_id]
    if after is not None:
        which.append(order > int(after))
    found, has_more = _found(session, run.workflow, filters, which, order, limit, events)
    return Page(found, str(found[-1].seq) if has_more else None)


def after(
    session: Session, run_id: UUID, seq: int, limit: int
) -> tuple[list[CheckpointSummary], bool]:
    """The checkpoints of a run after a `seq`, `limit` at most, and whether there are more."""
    query = (
        select(*SUMMARY)
        .join(Facets, col(Facets.id) == Checkpoint.facets_id)
        .where(col(Checkpoint.run_id) == run_id, col(Checkpoint.seq) > seq)
        .order_by(col(Checkpoint.seq))
        .limit(limit + 1)
    )
    rows = session.execute(query).all()
    return listed(session, rows[:limit]), len(rows) > limit


def of_context(
    session: Session,
    context_id: UUID,
    filters: Filters,
    events: bool,
    limit: int,
    after: str | None,
) -> Page[CheckpointSummary]:
    """A page of the checkpoints of all the runs in a context, oldest first.

    Args:
        session: the session.
        context_id: the context's id.
        filters: the values that the checkpoints must have.
        events: whether the checkpoints are shown with their events.
        limit: the number of checkpoints on the page, at most.
        after: the id after which the page begins; `None` for the first page.

    Raises:
        NotFound: there is no such context.
    """
    context = contexts.find(session, context_id)
    order = col(Checkpoint.id)
    which = [col(Checkpoint.context_id) == context_id]
    if after is not None:
        which.append(order > UUID(after))
    found, has_more = _found(session, context.workflow, filters, which, order, limit, events)
    return Page(found, str(found[-1].id) if has_more else None)


def read(session: Session, checkpoint_id: UUID) -> CheckpointDetail:
    """One checkpoint, whole.

    Raises:
        NotFound: there is no such checkpoint.
        Damaged: the checkpoint cannot be read back.
    """
    row = find(session, checkpoint_id)
    found = summary(session, checkpoint_id, *EVENTS)
    return CheckpointDetail(
        found, snapshots.at(session, row.run_id, row.seq), snapshots.trail(session, row)
    )


def summary(
    session: Session, checkpoint_id: UUID, *events: ColumnElement[Any]
) -> CheckpointSummary:
    """One checkpoint as in a list.

    Args:
        session: the session.
        checkpoint_id: the checkpoint's id.
        events: the columns of the events, `EVENTS` or none.

    Raises:
        NotFound: there is no such checkpoint.
    """
    query = select(*SUMMARY, *events).join(Facets, col(Facets.id) == Checkpoint.facets_id)
    rows = session.execute(query.where(col(Checkpoint.id) == checkpoint_id)).all()
    for found in listed(session, rows):
        return found
    raise not_found.checkpoint(checkpoint_id)


def find(session: Session, checkpoint_id: UUID) -> Checkpoint:
    """The checkpoint's row.

    Raises:
        NotFound: there is no such checkpoint, or its run is being deleted.
    """
    row = session.get(Checkpoint, checkpoint_id)
    if row is None or session.get(Run, row.run_id) is None:  # the run is being deleted
        raise not_found.checkpoint(checkpoint_id)
    return row


def _found(
    session: Session,
    workflow: str,
    filters: Filters,
    which: list[ColumnElement[bool]],
    order: Mapped[Any],
    limit: int,
    events: bool,
) -> tuple[list[CheckpointSummary], bool]:
    """The first matching checkpoints that fit on a page, and whether there are more.

    The checkpoints of one set of facets stand in an index in their order. Of several such sets,
    the first checkpoints of each are looked up, and the first of all these are taken.
    """
    if filters.match_nothing:
        return [], False
    wanted = facets.matching(session, workflow, filters)
    first: Select[Any] = select(col(Checkpoint.id)).where(*which).order_by(order).limit(limit + 1)
    if wanted is None:
        ids: Any = first
    elif not wanted:
        return [], False
    elif len(wanted) > facets.MANY:
        ids = first.where(col(Checkpoint.facets_id).in_(wanted))
    else:
        of_each = [first.where(col(Checkpoint.facets_id) == id_).subquery() for id_ in wanted]
        ids = union_all(*(select(some.c.id) for some in of_each))
    query = (
        select(*SUMMARY, *(EVENTS if events else ()))
        .join(Facets, col(Facets.id) == Checkpoint.facets_id)
        .where(col(Checkpoint.id).in_(select(ids.subquery().c.id)))
        .order_by(order)
        .limit(limit + 1)
    )
    rows = session.execute(query).all()
    size = sizes.of(session, (event for row in rows for event in payloads_of(row)))
    fit = pages.fitting(sum(size[event] for event in payloads_of(row)) for row in rows[:limit])
    return listed(session, rows[:fit]), len(rows) > fit


def listed(session: Session, rows: Sequence[Any]) -> list[CheckpointSummary]:
    """The checkpoints of rows with the columns `SUMMARY`, and with `EVENTS` or none."""
    annotated = annotations.read(session, [row[0] for row in rows])
    payloads = [payloads_of(row) for row in rows]
    unpacker = Unpacker(session, (payload for both in payloads for payload in both))
    return [
        _made(row, annotated.get(row[0], NO_ANNOTATION), map(unpacker.shown, both))
        for row, both in zip(rows, payloads, strict=True)
    ]


def payloads_of(row: Any) -> Sequence[bytes | None]:
    """The payloads of the row's events; empty unless the row was asked for events."""
    return tuple(row[len(SUMMARY) :])


def _made(
    row: Any, annotation: Annotation, events: Iterable[SealedEvent | None]
) -> CheckpointSummary:
    taken, given = (*events, None, None)[:2]
    named = zip(NAMES, row, strict=False)
    return CheckpointSummary(
        **dict(named), annotation=annotation, input_event=taken, output_event=given
    )
