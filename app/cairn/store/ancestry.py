"""Ancestry: the runs that a run was rerun from, and the checkpoint where two such lines part."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, literal, select
from sqlmodel import Session

from cairn.store.rows import CHECKPOINTS, RUNS

LONGEST = 10_000
"""Reruns of reruns that a line is followed through; earlier ancestors are not found."""


@dataclass(frozen=True, slots=True)
class Link:
    """A run in a line of reruns, up to a checkpoint.

    Attributes:
        run_id: the run's id.
        checkpoint_id: the last checkpoint of the run that is in the line; `None` if the run has no
            checkpoint.
        seq: the checkpoint's `seq`; `None` if the run is deleted.
        started_at: the moment at which the run began; `None` if that is not known.
    """

    run_id: UUID
    checkpoint_id: UUID | None
    seq: int | None
    started_at: datetime | None


Line = Sequence[Link]
"""A run or a part of a run, the run it was rerun from, and so on; ends with the root, or with the
first run that is deleted."""


class Fork(NamedTuple):
    """The last checkpoint that two lines share.

    Attributes:
        at: the checkpoint's run, up to the checkpoint.
        before: for each of the lines, the number of links before that run.
    """

    at: Link
    before: tuple[int, int]


class Stretch(NamedTuple):
    """A part of a line in one run: the checkpoints after one `seq`, up to another."""

    link: Link
    after: int
    upto: int


def line(session: Session, run_id: UUID, checkpoint_id: UUID | None, seq: int) -> Line:
    """The line that ends with a checkpoint.

    Args:
        session: the session.
        run_id: the id of the checkpoint's run.
        checkpoint_id: the checkpoint's id; `None` for a run without a checkpoint.
        seq: the checkpoint's `seq`; 0 for a run without a checkpoint.
    """
    columns = (RUNS.c.id, RUNS.c.parent_run_id, RUNS.c.origin_checkpoint_id, RUNS.c.started_at)
    first = select(*columns, literal(0).label("number")).where(RUNS.c.id == run_id)
    found = first.cte("line", recursive=True)
    origin = CHECKPOINTS.alias()
    # A rerun from before the first checkpoint of a rerun has its origin further up than its parent.
    source = func.coalesce(origin.c.run_id, found.c.parent_run_id)
    further = (
        select(*columns, found.c.number + 1)
        .select_from(found)
        .outerjoin(origin, origin.c.id == found.c.origin_checkpoint_id)
        .join(RUNS, RUNS.c.id == source)
        .where(found.c.origin_checkpoint_id.is_not(None), found.c.number < LONGEST)
    )
    found = found.union_all(further)
    rows = session.execute(
        select(found, CHECKPOINTS.c.seq, CHECKPOINTS.c.run_id)
        .outerjoin(CHECKPOINTS, CHECKPOINTS.c.id == found.c.origin_checkpoint_id)
        .order_by(found.c.number)
    ).all()
    started: dict[UUID, datetime | None] = {row.id: row.started_at for row in rows}
    links = [Link(run_id, checkpoint_id, seq, started.get(run_id))]
    for row in rows:
        if row.origin_checkpoint_id is not None:
            up: UUID = row.run_id or row.parent_run_id
            origin_seq = row.seq if up in started else None  # a deleted run is swept bit by bit
            links.append(Link(up, row.origin_checkpoint_id, origin_seq, started.get(up)))
    return links


def fork(one: Line, other: Line) -> Fork | None:
    """The place where two lines part; `None` if they share no run."""
    place = {link.run_id: number for number, link in enumerate(other)}
    for number, link in enumerate(one):
        if link.run_id in place:
            there = place[link.run_id]
            return Fork(_earlier(link, other[there]), (number, there))
    return None


def since(line: Line, before: int, at: Link) -> list[Stretch]:
    """The part of a line after a fork, oldest first.

    Args:
        line: the line.
        before: the number of links before the fork's run.
        at: the fork's run, up to the fork.
    """
    return _stretches([*((link, 0) for link in line[:before]), (line[before], at.seq or 0)])


def whole(line: Line) -> list[Stretch]:
    """All of a line, oldest first."""
    return _stretches((link, 0) for link in line)


def _stretches(links: Iterable[tuple[Link, int]]) -> list[Stretch]:
    """The stretches that still have checkpoints, oldest first, of links that are newest first."""
    found = [Stretch(link, after, link.seq) for link, after in links if link.seq is not None]
    return [stretch for stretch in reversed(found) if stretch.upto > stretch.after]


def _earlier(one: Link, other: Link) -> Link:
    """The link with the earlier checkpoint, of two links with the same run."""
    # Of a deleted run, the ids tell: ids count up with time.
    return min(one, other, key=lambda link: (link.seq or 0, link.checkpoint_id or link.run_id))
