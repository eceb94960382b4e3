"""Runs as whoever asks for them sees them: one, or a page of many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from app.engine.journal import ENDED, Status
from app.engine.serialization import SealedEvent
from app.store import missing, pages, sizes
from app.store.blobs import Unpacker
from app.store.pages import LISTED_BYTES, Page
from app.store.tables import Checkpoint, Run


@dataclass(frozen=True, slots=True)
class Error:
    """Why a run failed."""

    type: str
    message: str
    step: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A run as whoever asks for it sees it."""

    id: UUID
    workflow: str
    status: Status
    context_id: UUID
    start_event: SealedEvent | None  # `None` where it is damaged, or not known here
    stop_event: SealedEvent | None = None
    error: Error | None = None
    parent_run_id: UUID | None = None
    root_run_id: UUID
    origin_checkpoint_id: UUID | None = None
    checkpoint_count: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    omitted: Sequence[str] = ()  # of its events, those too large for a list


EVENTS = ("start_event", "stop_event")


def find(session: Session, run_id: UUID) -> Seen:
    """The run.

    Raises:
        NotFound: there is none.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise missing.run(run_id)
    return _seen(session, [run], [()])[0]


def has_ended(session: Session, run_id: UUID) -> bool:
    """Whether the run has ended, or is gone."""
    status = session.exec(select(Run.status).where(Run.id == run_id)).first()
    return status is None or status in ENDED


def listed(
    session: Session,
    workflow: str | None,
    status: str | None,
    context_id: UUID | None,
    limit: int,
    before: str | None,
) -> Page[Seen]:
    """A page of runs, newest first; `None` matches any. Large events are omitted, and not read.

    Args:
        before: the id before which the page begins.
    """
    if workflow is not None and "\0" in workflow:  # PostgreSQL cannot even be asked
        return Page([], None)
    query = select(Run)
    if workflow is not None:
        query = query.where(Run.workflow == workflow)
    if status is not None:
        query = query.where(Run.status == status)
    if context_id is not None:
        query = query.where(Run.context_id == context_id)
    if before is not None:
        query = query.where(col(Run.id) < UUID(before))
    found = session.exec(query.order_by(col(Run.id).desc()).limit(limit + 1)).all()
    shown, omitted = _fitting(session, found[:limit])
    items = _seen(session, shown, omitted)
    return Page(items, str(items[-1].id) if len(found) > len(items) else None)


def _fitting(session: Session, runs: Sequence[Run]) -> tuple[Sequence[Run], list[list[str]]]:
    """The runs that fit on a page, and which of their events are omitted."""
    events = [{name: getattr(run, name) for name in EVENTS} for run in runs]
    size = sizes.of(session, (event for both in events for event in both.values()))
    omitted = [[name for name in EVENTS if size[both[name]] > LISTED_BYTES] for both in events]
    fit = pages.fitting(
        sum(size[both[name]] for name in EVENTS if name not in left_out)
        for both, left_out in zip(events, omitted, strict=True)
    )
    return runs[:fit], omitted[:fit]


def _seen(session: Session, runs: Sequence[Run], omitted: Sequence[Sequence[str]]) -> list[Seen]:
    """The runs as they are seen, each without those of its events that are omitted."""
    counts = dict(
        session.execute(
            select(Checkpoint.run_id, func.max(Checkpoint.seq))
            .where(col(Checkpoint.run_id).in_([run.id for run in runs]))
            .group_by(col(Checkpoint.run_id))
        ).all()
    )
    payloads = [
        [None if name in left_out else getattr(run, name) for name in EVENTS]
        for run, left_out in zip(runs, omitted, strict=True)
    ]
    unpacker = Unpacker(session, (payload for both in payloads for payload in both))
    return [
        replace(
            as_new(run, unpacker.shown(start_event)),
            stop_event=unpacker.shown(stop_event),
            error=_error(run),
            checkpoint_count=counts.get(run.id, 0),
            finished_at=run.finished_at,
            omitted=left_out,
        )
        for run, (start_event, stop_event), left_out in zip(runs, payloads, omitted, strict=True)
    ]


def as_new(run: Run, start_event: SealedEvent | None) -> Seen:
    """A run that nothing has come of so far."""
    return Seen(
        id=run.id,
        workflow=run.workflow,
        status=run.status,
        context_id=run.context_id,
        start_event=start_event,
        parent_run_id=run.parent_run_id,
        root_run_id=run.root_run_id,
        origin_checkpoint_id=run.origin_checkpoint_id,
        created_at=run.created_at,
        started_at=run.started_at,
    )


def _error(run: Run) -> Error | None:
    if run.error_type is None:
        return None
    return Error(run.error_type, run.error_message or "", run.error_step)
