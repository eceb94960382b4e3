"""Pruning: the runs that have been kept long enough are deleted, with contexts left empty."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlmodel import Session

from cairn.engine.core.records import Status
from cairn.store import deleting
from cairn.store.chunks import CHUNK, chunks
from cairn.store.clock import now
from cairn.store.rows import CHECKPOINTS, RUNS
from cairn.store.tables import Tag

TAGS = Tag.__table__  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class Retention:
    """The rule that says which ended runs are kept; a run that is beyond any limit goes.

    Attributes:
        days: the days for which a run is kept after its end; `None` for ever.
        runs: the number of the newest ended runs of each workflow that are kept; `None` for all.
        statuses: the statuses of the runs that may go at all.
    """

    days: float | None
    runs: int | None
    statuses: Collection[Status]

    @property
    def is_limited(self) -> bool:
        """True if there is a limit."""
        return self.days is not None or self.runs is not None


@dataclass(frozen=True, slots=True)
class Pruned:
    """The numbers of runs, contexts and checkpoints that have gone, or would go."""

    runs: int
    contexts: int
    checkpoints: int

    def __str__(self) -> str:
        return (
            f"{self.runs:,} runs with {self.checkpoints:,} checkpoints, and {self.contexts:,} "
            "contexts that have no other runs"
        )


def beyond(session: Session, retention: Retention, limit: int) -> list[tuple[UUID, UUID]]:
    """The runs that are to go, oldest first, each with its context; `limit` runs at most."""
    found: dict[UUID, UUID] = {}
    if retention.days is not None:
        end = now() - timedelta(days=retention.days)
        old = _may_go(retention).where(RUNS.c.finished_at < end).order_by(RUNS.c.id).limit(limit)
        found |= dict(session.execute(old).all())
    if retention.runs is not None:
        for workflow in session.scalars(select(RUNS.c.workflow).distinct()).all():
            newest = (
                select(RUNS.c.id)
                .where(RUNS.c.workflow == workflow, RUNS.c.finished_at.is_not(None))
                .order_by(RUNS.c.id.desc())
            )
            last_kept = newest.offset(retention.runs - 1).limit(1).scalar_subquery()
            more = _may_go(retention).where(RUNS.c.workflow == workflow)
            if retention.runs > 0:
                more = more.where(RUNS.c.id < last_kept)
            found |= dict(session.execute(more.order_by(RUNS.c.id).limit(limit)).all())
    return sorted(found.items())[:limit]


def counted(session: Session, retention: Retention) -> Pruned:
    """Count the runs, contexts and checkpoints that would go."""
    going = dict(beyond(session, retention, limit=2**31))
    runs, contexts = set(going), set(going.values())
    checkpoints, emptied = 0, 0
    for some in chunks(sorted(runs)):
        of_runs = select(func.count()).where(CHECKPOINTS.c.run_id.in_(some))
        checkpoints += session.execute(of_runs).scalar_one()
    for some in chunks(sorted(contexts)):
        query = select(RUNS.c.context_id, RUNS.c.id).where(RUNS.c.context_id.in_(some))
        kept = {context for context, run in session.execute(query) if run not in runs}
        emptied += len(set(some) - kept)
    return Pruned(len(runs), emptied, checkpoints)


def prune(session: Session, retention: Retention) -> Pruned:
    """Delete some of the runs that are to go, and the contexts that are left without a run.

    The checkpoints follow, by `deleting.sweep`, and are not counted here.
    """
    found = [run for run, _ in beyond(session, retention, CHUNK)]
    # Another process may delete the same runs at the same time: locked, each is found by one.
    held = select(RUNS.c.id, RUNS.c.context_id).where(RUNS.c.id.in_(found)).order_by(RUNS.c.id)
    going = dict(session.execute(held.with_for_update()).all())
    deleting.remove(session, list(going))
    return Pruned(len(going), deleting.emptied(session, list(set(going.values()))), 0)


def _may_go(retention: Retention) -> Select[tuple[UUID, UUID]]:
    tagged = select(TAGS.c.run_id).where(TAGS.c.run_id == RUNS.c.id).exists()
    return select(RUNS.c.id, RUNS.c.context_id).where(
        RUNS.c.status.in_(list(retention.statuses)), ~tagged
    )
