"""Stream: what the watchers of a run see, in order, page by page.

The stream merges the run's checkpoints with the entries that are no checkpoints. The first and the
last status are read off the run's row: most runs have no other entries, and write no row for these.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from typing import Any, Literal
from uuid import UUID

from sqlmodel import Session, and_, col, func, or_, select

from cairn.engine.core.records import ENDED, Status
from cairn.engine.values.sealed import SealedEvent
from cairn.store import checkpoints, not_found, pages, sizes
from cairn.store.blobs import Unpacker
from cairn.store.checkpoints import CheckpointSummary
from cairn.store.positions import Position
from cairn.store.tables import Checkpoint, Run, StreamEntry

Kind = Literal["stream", "checkpoint", "status", "attempt"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed attempt at a delivery.

    Attributes:
        type: the name of the exception's class.
        message: the exception's message.
        next_at: the moment of the next attempt; `None` if there is none.
    """

    type: str
    message: str
    next_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamItem:
    """An entry of a run's stream, as watchers see it.

    Attributes:
        position: the place in the stream.
        kind: `stream` for an event that a step wrote, `checkpoint`, `status`, or `attempt` for a
            failed attempt.
        at: the moment of the entry.
        step: the step that wrote the event, or failed.
        delivery: the delivery that the step's attempt was at.
        attempt: the number of the attempt at the delivery, from 1.
        event: the event that the step wrote; `None` if it is damaged.
        failure: the failure of the attempt.
        status: the status of the run.
        checkpoint: the checkpoint.
    """

    position: Position
    kind: Kind
    at: datetime
    step: str | None = None
    delivery: int | None = None
    attempt: int | None = None
    event: SealedEvent | None = None
    failure: Failure | None = None
    status: Status | None = None
    checkpoint: CheckpointSummary | None = None


@dataclass(frozen=True, slots=True)
class StreamPage:
    """A part of a run's stream.

    Attributes:
        items: the entries, in order.
        has_more: whether more entries are stored already.
        is_over: whether the run has ended, and no entry comes after these.
    """

    items: Sequence[StreamItem]
    has_more: bool
    is_over: bool


def page(session: Session, run_id: UUID, after: Position | None, limit: int) -> StreamPage:
    """The entries of a run's stream after a position.

    Args:
        session: the session.
        run_id: the run's id.
        after: the position; `None` begins at the begin.
        limit: the number of entries, at most.

    Raises:
        NotFound: there is no such run.
    """
    run = session.get(Run, run_id)  # first: whatever the run has left by then is read below
    if run is None:
        raise not_found.run(run_id)
    begun = [] if after is not None or run.started_at is None else [_begun(run.started_at)]
    start = after or Position(0, 0)
    entries, more_entries = _entries(session, run_id, start, limit)
    found, more_checkpoints = _checkpoints(session, run_id, start, limit)
    # Of two lists that are cut off, what stands behind the end of either is not known whole.
    ends = [
        some[-1].position
        for some, cut in ((entries, more_entries), (found, more_checkpoints))
        if cut
    ]
    merged = merge(entries, found, key=lambda item: item.position)
    known = [*begun, *(item for item in merged if not ends or item.position <= min(ends))]
    items, has_more = known[:limit], bool(ends) or len(known) > limit
    if has_more or run.status not in ENDED:
        return StreamPage(items, has_more, is_over=False)
    end = Position(_newest(session, run_id) + 1, 0)
    if after is None or after < end:
        items.append(_status(end, run.finished_at or run.created_at, run.status))
    return StreamPage(items, has_more=False, is_over=True)


def attempts(session: Session, run_id: UUID, after: Position | None, limit: int) -> StreamPage:
    """The failed attempts of a run, oldest first; otherwise as `page`.

    Raises:
        NotFound: there is no such run.
    """
    if session.get(Run, run_id) is None:
        raise not_found.run(run_id)
    failed, has_more = _entries(session, run_id, after or Position(0, 0), limit, "attempt")
    return StreamPage(failed, has_more, is_over=False)


def _begun(moment: datetime) -> StreamItem:
    return _status(Position(0, 0), moment, "running")


def _status(position: Position, moment: datetime, status: Status) -> StreamItem:
    return StreamItem(position=position, kind="status", at=moment, status=status)


def _newest(session: Session, run_id: UUID) -> int:
    seq = session.exec(select(func.max(Checkpoint.seq)).where(Checkpoint.run_id == run_id)).one()
    return seq or 0


def _checkpoints(
    session: Session, run_id: UUID, after: Position, limit: int
) -> tuple[list[StreamItem], bool]:
    found, has_more = checkpoints.after(session, run_id, after.seq, limit)
    return [
        StreamItem(
            position=Position(each.seq, 0), kind="checkpoint", at=each.created_at, checkpoint=each
        )
        for each in found
    ], has_more


def _entries(
    session: Session, run_id: UUID, after: Position, limit: int, kind: str | None = None
) -> tuple[list[StreamItem], bool]:
    seq, number = col(StreamEntry.seq), col(StreamEntry.number)
    query = (
        select(StreamEntry)
        .where(StreamEntry.run_id == run_id, seq >= after.seq)
        .where(or_(seq > after.seq, and_(seq == after.seq, number > after.number)))
        .order_by(seq, number)
        .limit(limit + 1)
    )
    if kind is not None:
        query = query.where(StreamEntry.kind == kind)
    rows = session.exec(query).all()
    size = sizes.of(session, (row.payload for row in rows))
    fit = pages.fitting(size[row.payload] for row in rows[:limit])
    return list(_items(session, rows[:fit])), len(rows) > fit


def _items(session: Session, rows: Sequence[StreamEntry]) -> Iterator[StreamItem]:
    unpacker = Unpacker(session, (row.payload for row in rows))
    for row in rows:
        values: dict[str, Any] = {}
        if row.kind == "stream":
            values = {"event": unpacker.shown(row.payload)}
        elif row.kind == "status":
            values = {"status": unpacker.value(row.payload)}
        else:
            values = {"failure": _failure(unpacker.value(row.payload))}
        yield StreamItem(
            position=Position(row.seq, row.number),
            kind=row.kind,  # type: ignore[arg-type]  # as it was written
            at=row.created_at,
            step=row.step,
            delivery=row.delivery,
            attempt=row.attempt,
            **values,
        )


def _failure(written: Any) -> Failure:
    next_at = written["next_at"]
    return Failure(
        written["type"],
        written["message"],
        None if next_at is None else datetime.fromisoformat(next_at),
    )
