"""Runs as clients see them: one run, or a page of many."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import defer
from sqlmodel import Session, col, select

from cairn.engine.core.records import ENDED, Status
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import Damaged
from cairn.store import annotations, not_found, pages, questions, run_search, sizes
from cairn.store.annotations import NO_ANNOTATION, Annotation
from cairn.store.blobs import Unpacker
from cairn.store.pages import LISTED_BYTES, Page
from cairn.store.questions import OpenQuestion
from cairn.store.run_filters import RunFilters
from cairn.store.standings import newest_seq
from cairn.store.tables import Run

Position = tuple[str, int]
"""A run's status, and its number of checkpoints."""


@dataclass(frozen=True, slots=True)
class Error:
    """The error of a run that failed or was cancelled."""

    type: str
    message: str
    step: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run as clients see it.

    Attributes:
        id: the run's id.
        workflow: the name of the run's workflow.
        status: the run's status.
        context_id: the id of the run's context.
        start_event: the start event; `None` if it is damaged, omitted, or not known here.
        stop_event: the event that ended the run, if there is one.
        error: the error of a failed or cancelled run.
        parent_run_id: the run that this rerun was begun from.
        root_run_id: the first run of the chain of reruns; the run itself if it is no rerun.
        origin_checkpoint_id: the checkpoint that this rerun was begun from.
        checkpoint_count: the number of the run's own checkpoints.
        waiting_for: the questions that a waiting run waits on.
        created_at: the moment at which the run was accepted.
        started_at: the moment at which the run began, if it has begun.
        finished_at: the moment at which the run ended, if it has ended.
        omitted: the names of payloads that are too large for a list.
        annotation: the words of clients about the run.
    """

    id: UUID
    workflow: str
    status: Status
    context_id: UUID
    start_event: SealedEvent | None
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
    omitted: Sequence[str] = ()
    annotation: Annotation = NO_ANNOTATION


PAYLOADS = ("start_event", "stop_event", "waiting_for")


def find(session: Session, run_id: UUID) -> RunView:
    """The run, as clients see it.

    Raises:
        NotFound: there is no such run.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise not_found.run(run_id)
    return _views(session, [run], [()])[0]


def several(session: Session, ids: Sequence[UUID]) -> list[RunView]:
    """The runs with these ids; ids of no run are left out."""
    runs = session.exec(select(Run).where(col(Run.id).in_(ids))).all()
    return _views(session, runs, [()] * len(runs))


def positions(session: Session, ids: Sequence[UUID]) -> dict[UUID, Position]:
    """The positions of the runs, by id: a position differs once a run has ended or moved on."""
    found = session.exec(select(Run.id, Run.status).where(col(Run.id).in_(ids))).all()
    counts = _counts(session, ids)
    return {id_: (status, counts.get(id_, 0)) for id_, status in found}


def has_ended(session: Session, run_id: UUID) -> bool:
    """True if the run has ended, or is gone."""
    status = session.exec(select(Run.status).where(Run.id == run_id)).first()
    return status is None or status in ENDED


def listed(
    session: Session, filters: RunFilters, newest_first: bool, limit: int, after: UUID | None
) -> Page[RunView]:
    """A page of runs, in the order of their ids. Large payloads are omitted, and not read.

    Where no index serves all the filters, a page ends after `LOOKED_AT` runs that were looked at:
    it has fewer runs then, or none, and a next position all the same.

    Args:
        session: the session.
        filters: the values that the runs must have.
        newest_first: whether the newest run comes first, or the oldest.
        limit: the number of runs on the page, at most.
        after: the id behind which the page begins; `None` for the first page.
    """
    if filters.match_nothing:
        return Page([], None)
    found = run_search.search(filters, newest_first)
    within = [] if after is None else [found.beyond(after)]
    end = None
    if not found.is_served:
        end = found.end_of(session, run_search.LOOKED_AT, *within)
        within += [] if end is None else [found.up_to(end)]
    ids = found.ids(limit + 1, *within)
    query = select(Run).where(col(Run.id).in_(ids)).order_by(found.ordered(col(Run.id)))
    without_base = defer(Run.base)  # type: ignore[arg-type]  # a column, which it is typed not to be
    runs = session.exec(query.options(without_base).limit(limit + 1)).all()
    shown, omitted = _fitting(session, runs[:limit])
    items = _views(session, shown, omitted)
    if len(runs) > len(items):
        end = items[-1].id
    return Page(items, None if end is None else str(end))


def _fitting(session: Session, runs: Sequence[Run]) -> tuple[Sequence[Run], list[list[str]]]:
    """The runs that fit on a page, and for each the names of the payloads to omit."""
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
    """The runs as clients see them, each without the payloads to omit."""
    counts = _counts(session, [run.id for run in runs])
    payloads = [
        [None if name in left_out else getattr(run, name) for name in PAYLOADS]
        for run, left_out in zip(runs, omitted, strict=True)
    ]
    unpacker = Unpacker(session, (payload for all_ in payloads for payload in all_))
    annotated = annotations.read(session, [run.id for run in runs])
    return [
        replace(
            new_view(run, unpacker.shown(start_event)),
            stop_event=unpacker.shown(stop_event),
            error=_error(run),
            checkpoint_count=counts.get(run.id, 0),
            waiting_for=_open_questions(unpacker, run.status, waiting_for),
            finished_at=run.finished_at,
            omitted=left_out,
            annotation=annotated.get(run.id, NO_ANNOTATION),
        )
        for run, (start_event, stop_event, waiting_for), left_out in zip(
            runs, payloads, omitted, strict=True
        )
    ]


def _counts(session: Session, ids: Sequence[UUID]) -> dict[UUID, int]:
    """The number of checkpoints of each run that has any, by the run's id."""
    theirs = select(Run.id, newest_seq()).where(col(Run.id).in_(ids))
    return {id_: count for id_, count in session.exec(theirs) if count is not None}


def new_view(run: Run, start_event: SealedEvent | None) -> RunView:
    """The run of a row, as clients see a run that has no result and no checkpoint of its own.

    Args:
        run: the run's row.
        start_event: the start event; `None` if it is damaged or not known.
    """
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
    """The questions of a waiting run; none if they are damaged, since a list must be readable."""
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
