"""Tries: the attempts at pending deliveries that earlier processes have begun, read back."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import func
from sqlmodel import Session, col, select

from cairn.engine.language.retry import RetryInfo
from cairn.engine.runtime.tries import Earlier
from cairn.engine.values import exception_json
from cairn.store.blobs import Unpacker
from cairn.store.chunks import chunks
from cairn.store.clock import now
from cairn.store.tables import StreamEntry


def newest_number(session: Session, run_id: UUID, seq: int) -> int:
    """The number of the newest entry of the run's stream after a checkpoint; 0 without one."""
    numbers = select(func.max(StreamEntry.number)).where(
        StreamEntry.run_id == run_id, StreamEntry.seq == seq
    )
    return session.exec(numbers).one() or 0


def earlier(session: Session, run_id: UUID, deliveries: Collection[int]) -> dict[int, Earlier]:
    """The attempts that earlier processes have begun, by delivery.

    An attempt is known if it has failed, or has written to the stream.

    Args:
        session: the session.
        run_id: the run's id.
        deliveries: the ids of the pending deliveries.

    Raises:
        Damaged: a failure cannot be read back.
    """
    any_entry = select(StreamEntry.seq).where(StreamEntry.run_id == run_id).limit(1)
    if not deliveries or session.exec(any_entry).first() is None:
        return {}
    found: dict[int, Earlier] = {}
    for some in chunks(list(deliveries)):
        of_these = (StreamEntry.run_id == run_id, col(StreamEntry.delivery).in_(some))
        newest = select(col(StreamEntry.delivery), func.max(StreamEntry.attempt)).where(*of_these)
        begun = session.execute(newest.group_by(col(StreamEntry.delivery))).all()
        failures = session.exec(
            select(StreamEntry)
            .where(*of_these, StreamEntry.kind == "attempt")
            .order_by(col(StreamEntry.attempt))
        ).all()
        unpacker = Unpacker(session, (failure.payload for failure in failures))
        last = {failure.delivery: failure for failure in failures}
        for delivery, attempt in begun:
            failure = last.get(delivery)
            retry, pause = (RetryInfo(), 0.0) if failure is None else _failed(unpacker, failure)
            is_new = failure is None or failure.attempt != attempt
            interrupted = attempt - retry.retry_number
            found[delivery] = Earlier(retry, interrupted, 0.0 if is_new else pause, is_new)
    return found


def _failed(unpacker: Unpacker, failure: StreamEntry) -> tuple[RetryInfo, float]:
    """The failed attempts up to this one, and the seconds left before the next."""
    written = unpacker.value(failure.payload)
    error = written["error"] and exception_json.read(written["error"], lambda _: None)
    retry = RetryInfo(written["failed"], written["elapsed_seconds"], error, failure.created_at)
    next_at = written["next_at"]
    if next_at is None:
        return retry, 0.0
    return retry, max(0.0, (datetime.fromisoformat(next_at) - now()).total_seconds())
