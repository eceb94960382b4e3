"""Lineage: the runs that came of one run by reruns."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, union_all
from sqlmodel import Session

from cairn.engine.core.records import Status
from cairn.store import annotations, not_found
from cairn.store.annotations import NO_ANNOTATION, Annotation
from cairn.store.pages import Page
from cairn.store.rows import CHECKPOINTS, RUNS


@dataclass(frozen=True, slots=True)
class Relative:
    """A run in a tree of reruns.

    Attributes:
        origin_seq: the origin's `seq` in its run; `None` without an origin, or for a deleted one.
        annotation: the words of clients about the run.
    """

    id: UUID
    workflow: str
    status: Status
    parent_run_id: UUID | None
    origin_checkpoint_id: UUID | None
    origin_seq: int | None
    created_at: datetime
    annotation: Annotation = NO_ANNOTATION


def page(session: Session, run_id: UUID, limit: int, after: str | None) -> Page[Relative]:
    """A page of the tree that a run belongs to, oldest run first.

    Args:
        session: the session.
        run_id: the id of any run in the tree.
        limit: the number of runs on the page, at most.
        after: the id after which the page begins; `None` for the first page.

    Raises:
        NotFound: there is no such run.
    """
    root = session.scalars(select(RUNS.c.root_run_id).where(RUNS.c.id == run_id)).first()
    if root is None:
        raise not_found.run(run_id)

    def first(*which: ColumnElement[bool]) -> Select[Any]:
        ids = select(RUNS.c.id).where(*which)
        if after is not None:
            ids = ids.where(RUNS.c.id > UUID(after))
        return select(ids.order_by(RUNS.c.id).limit(limit + 1).subquery().c.id)

    # The index of reruns by root leaves out all other runs, of which there are more.
    reruns = RUNS.c.root_run_id == root, RUNS.c.parent_run_id.is_not(None)
    ids = union_all(first(RUNS.c.id == root), first(*reruns))
    columns = [RUNS.c[name] for name in Relative.__slots__ if name in RUNS.c]
    rows = session.execute(
        select(*columns, CHECKPOINTS.c.seq.label("origin_seq"))
        .outerjoin(CHECKPOINTS, CHECKPOINTS.c.id == RUNS.c.origin_checkpoint_id)
        .where(RUNS.c.id.in_(ids))
        .order_by(RUNS.c.id)
        .limit(limit + 1)
    ).all()
    annotated = annotations.read(session, [row.id for row in rows[:limit]])
    shown = [
        Relative(**row._mapping, annotation=annotated.get(row.id, NO_ANNOTATION))
        for row in rows[:limit]
    ]
    return Page(shown, str(shown[-1].id) if len(rows) > limit else None)
