"""Runs as whoever asks for them sees them: one, or a page of many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from cairn.engine.core.records import ENDED, Status
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import Damaged
from cairn.store import not_found, pages, questions, sizes
from cairn.store.blobs import Unpacker
from cairn.store.pages import LISTED_BYTES, Page
from cairn.store.questions import OpenQuestion
from cairn.store.tables import Checkpoint, Run

Position = tuple[str, int]
"""A run's status, and how many checkpoints it has."""


@dataclass(frozen=True, slots=True)
class Error:
    """Why a run failed."""

    type: str
    message: str
    step: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
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
    waiting_for: Sequence[OpenQuestion] = ()
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    omitted: Sequence[str] = ()  # of its payloads, those too large for a list


PAYLOADS = ("start_event", "stop_event", "waiting_for")


def find(session: Session, run_id: UUID) -> RunView:
    """The run.

    Raises:
        NotFound: there is none.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise not_found.run(run_id)
    return _views(session, [run], [()])[0]


def several(session: Session, ids: Sequence[UUID]) -> list[RunView]:
    """Those of the runs that there are."""
    runs = session.exec(select(Run).where(col(Run.id).in_(ids))).all()
    return _views(session, runs, [()] * len(runs))


def positions(session: Session, ids: Sequence[UUID]) -> dict[UUID, Position]:
    """How the runs stand: what is another whenever one has ended or begun to wait."""
    found = session.exec(select(Run.id, Run.status).where(col(Run.id).in_(ids))).all()
    counts = _counts(session, ids)
    return {id_: (status, counts.get(id_, 0)) for id_, status in found}


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
) -> Page[RunView]:
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
    items = _views(session, shown, omitted)
    return Page(items, str(items[-1].id) if len(found) > len(items) else None)


def _fitting(session: Session, runs: Sequence[Run]) -> tuple[Sequence[Run], list[list[str]]]:
    """The runs that fit on a page, and which of their payloads are omitted."""
    events = [{name: getattr(run, name) for name in PAYLOADS} for run in runs]
    size = sizes.of(session, (event for all_ in events for event in all_.values()))
    omitted = [[name for name in PAYLOADS if size[all_[name]] > LISTED_BYTES] for all_ in events]
    fit = pages.fitting(
        sum(size[all_[name]] for name in PAYLOADS if name not in left_out)
        for all_, left_out in zip(events, omitted, strict=True)
    )
    return runs[:fit], omitted[:fit]


def _views(
    session: Session, runs: Sequence[Run], omitted: Sequence[Sequence[str]]
) -> list[RunView]:
    """The runs as they are seen, each without those of its payloads that are omitted."""
    counts = _counts(session, [run.id for run in runs])
    payloads = [
        [None if name in left_out else getattr(run, name) for name in PAYLOADS]
        for run, left_out in zip(runs, omitted, strict=True)
    ]
    unpacker = Unpacker(session, (payload for all_ in payloads for payload in all_))
    return [
        replace(
            new_view(run, unpacker.shown(start_event)),
            stop_event=unpacker.shown(stop_event),
            error=_error(run),
            checkpoint_count=counts.get(run.id, 0),
            waiting_for=_open_questions(unpacker, run.status, waiting_for),
            finished_at=run.finished_at,
            omitted=left_out,
        )
        for run, (start_event, stop_event, waiting_for), left_out in zip(
            runs, payloads, omitted, strict=True
        )
    ]


def _counts(session: Session, ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many checkpoints each of the runs has, if it has any."""
    newest = select(Checkpoint.run_id, func.max(Checkpoint.seq))
    theirs = newest.where(col(Checkpoint.run_id).in_(ids)).group_by(col(Checkpoint.run_id))
    return dict(session.execute(theirs).all())


def new_view(run: Run, start_event: SealedEvent | None) -> RunView:
    """A run that nothing has come of so far."""
    return RunView(
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


def _open_questions(
    unpacker: Unpacker, status: Status, payload: bytes | None
) -> Sequence[OpenQuestion]:
    """What a run waits for; nothing where that is damaged, since a list must be readable."""
    if status != "waiting" or payload is None:
        return ()
    try:
        return questions.unpacked(unpacker, payload)
    except Damaged:
        return ()


def _error(run: Run) -> Error | None:
    if run.error_type is None:
        return None
    return Error(run.error_type, run.error_message or "", run.error_step)
