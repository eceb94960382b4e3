"""Footprint: the bytes that a run takes in the database."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Table, func, select
from sqlmodel import Session

from cairn.store import not_found
from cairn.store.blobs import BLOBS, REFS
from cairn.store.rows import CHECKPOINTS, MESSAGES, RUNS, STREAM


@dataclass(frozen=True, slots=True)
class Footprint:
    """The bytes that a run takes.

    Attributes:
        checkpoint_count: the number of the run's checkpoints.
        row_bytes: the bytes of the payloads in the run's rows.
        own_blobs: the number of blobs that the run alone refers to.
        own_blob_bytes: the bytes of these blobs.
        shared_blobs: the number of the run's blobs that other runs or contexts refer to as well.
        shared_blob_bytes: the bytes of these blobs.
    """

    checkpoint_count: int
    row_bytes: int
    own_blobs: int
    own_blob_bytes: int
    shared_blobs: int
    shared_blob_bytes: int


def of(session: Session, run_id: UUID) -> Footprint:
    """The footprint of a run, from the lengths of payloads; no content is read.

    Raises:
        NotFound: there is no such run.
    """
    found, row_bytes = _payloads(session, RUNS, RUNS.c.id == run_id)
    if not found:
        raise not_found.run(run_id)
    row_bytes += _payloads(session, MESSAGES, MESSAGES.c.run_id == run_id)[1]
    row_bytes += _payloads(session, STREAM, STREAM.c.run_id == run_id)[1]
    count, checkpoint_bytes = _payloads(session, CHECKPOINTS, CHECKPOINTS.c.run_id == run_id)
    blobs = _blobs(session, run_id)
    return Footprint(count, row_bytes + checkpoint_bytes, *blobs[False], *blobs[True])


PAYLOADS = {
    RUNS: ("start_event", "stop_event", "waiting_for", "base"),
    MESSAGES: ("event",),
    STREAM: ("payload",),
    CHECKPOINTS: ("input_event", "output_event", "delta", "whole", "fact"),
}


def _payloads(session: Session, table: Table, which: ColumnElement[bool]) -> tuple[int, int]:
    """The number of rows in the table, and the bytes of their payloads."""
    lengths: Any = [func.coalesce(func.length(table.c[name]), 0) for name in PAYLOADS[table]]
    total = func.coalesce(func.sum(sum(lengths[1:], lengths[0])), 0)
    number, size = session.execute(select(func.count(), total).where(which)).one()
    return number, int(size)


def _blobs(session: Session, run_id: UUID) -> dict[bool, tuple[int, int]]:
    """The number and the bytes of the run's blobs: those of its own, and those shared."""
    other = REFS.alias()
    is_shared = (
        select(other.c.owner_id)
        .where(other.c.digest == REFS.c.digest, other.c.owner_id != run_id)
        .exists()
    )
    each = (
        select(is_shared.label("is_shared"), func.length(BLOBS.c.content).label("size"))
        .join_from(REFS, BLOBS, BLOBS.c.digest == REFS.c.digest)
        .where(REFS.c.owner_id == run_id)
        .subquery()
    )
    rows = session.execute(
        select(each.c.is_shared, func.count(), func.sum(each.c.size)).group_by(each.c.is_shared)
    )
    found = {bool(shared): (number, int(size)) for shared, number, size in rows}
    return {shared: found.get(shared, (0, 0)) for shared in (False, True)}
