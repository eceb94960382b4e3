"""Deleting: runs and contexts go at once, their checkpoints some at a time.

The checkpoints of a deleted run are deleted in steps, so that no client waits for the end of a
long run. A row of `deletions` names the run until then, should the process end meanwhile.
"""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, insert, select
from sqlmodel import Session, col

from cairn.engine.core.records import ENDED
from cairn.errors import CheckpointTagged, RunUnderWay
from cairn.store import blobs, contexts, not_found
from cairn.store.chunks import CHUNK, chunks
from cairn.store.rows import CHECKPOINTS, CONTEXTS, MESSAGES, RUNS, STREAM, UNDER_WAY
from cairn.store.tables import Deletion, Label, Request, Run, Tag

DELETIONS: Table = Deletion.__table__  # type: ignore[attr-defined]


def run(session: Session, run_id: UUID) -> None:
    """Delete a run; its checkpoints follow, by `sweep`.

    Raises:
        NotFound: there is no such run.
        RunUnderWay: the run has not ended.
        CheckpointTagged: the run, or a checkpoint of the run, has a tag.
    """
    found = session.get(Run, run_id, with_for_update=True)
    if found is None:
        raise not_found.run(run_id)
    if found.status not in ENDED:
        raise RunUnderWay(
            f"Run {run_id} is {found.status}. Wait until it has ended, or cancel it first: "
            f"POST /runs/{run_id}/cancel."
        )
    _refuse_tagged(session, col(Tag.run_id) == run_id)
    remove(session, [run_id])


def context(session: Session, context_id: UUID) -> None:
    """Delete a context and all its runs.

    Raises:
        NotFound: there is no such context.
        RunUnderWay: a run of the context has not ended.
        CheckpointTagged: a run of the context, or a checkpoint of such a run, has a tag.
    """
    contexts.claim(session, context_id)
    of_context = RUNS.c.context_id == context_id
    going_on = select(RUNS.c.id).where(of_context, RUNS.c.status.in_(UNDER_WAY))
    found = session.scalars(going_on.limit(1)).first()
    if found is not None:
        raise RunUnderWay(
            f"Run {found} of context {context_id} goes on. Wait until it has ended, or cancel it "
            f"first: POST /runs/{found}/cancel."
        )
    _refuse_tagged(session, col(Tag.run_id).in_(select(RUNS.c.id).where(of_context)))
    remove(session, session.scalars(select(RUNS.c.id).where(of_context)).all())
    session.execute(delete(CONTEXTS).where(CONTEXTS.c.id == context_id))
    blobs.release(session.connection(), [context_id])
    _forget(session, [context_id])


def remove(session: Session, run_ids: Sequence[UUID]) -> None:
    """Delete runs that have ended; their checkpoints follow, by `sweep`."""
    for some in chunks(run_ids):
        session.execute(delete(MESSAGES).where(MESSAGES.c.run_id.in_(some)))
        session.execute(delete(Label).where(col(Label.run_id).in_(some)))
        session.execute(delete(RUNS).where(RUNS.c.id.in_(some)))
        session.execute(insert(DELETIONS), [{"run_id": run_id} for run_id in some])
        _forget(session, some)


def emptied(session: Session, context_ids: Sequence[UUID]) -> int:
    """Delete the contexts, of these, that have no runs; return their number."""
    has_runs = select(RUNS.c.id).where(RUNS.c.context_id == CONTEXTS.c.id).exists()
    gone: list[UUID] = []
    for some in chunks(context_ids):
        empty = select(CONTEXTS.c.id).where(CONTEXTS.c.id.in_(some), ~has_runs)
        gone += session.scalars(empty.with_for_update())
    for some in chunks(gone):
        session.execute(delete(CONTEXTS).where(CONTEXTS.c.id.in_(some)))
        _forget(session, some)
    blobs.release(session.connection(), gone)
    return len(gone)


def sweep(session: Session) -> int | None:
    """Delete some of the checkpoints that deleted runs have left behind.

    Returns:
        The number of checkpoints that were deleted; `None` once nothing is left.
    """
    run_id = session.scalars(select(DELETIONS.c.run_id).limit(1)).first()
    if run_id is None:
        return None
    ids = select(CHECKPOINTS.c.id).where(CHECKPOINTS.c.run_id == run_id).limit(CHUNK)
    some = session.scalars(ids).all()
    session.execute(delete(CHECKPOINTS).where(CHECKPOINTS.c.id.in_(some)))
    if len(some) < CHUNK and not _sweep_stream(session, run_id):
        blobs.release(session.connection(), [run_id])
        session.execute(delete(DELETIONS).where(DELETIONS.c.run_id == run_id))
    return len(some)


def _sweep_stream(session: Session, run_id: UUID) -> int:
    """Delete some entries of a deleted run's stream, and return their number."""
    places = select(STREAM.c.seq, STREAM.c.number).where(STREAM.c.run_id == run_id).limit(CHUNK)
    some = session.execute(places).all()
    for seq in {seq for seq, _ in some}:
        numbers = [number for of, number in some if of == seq]
        of_run = (STREAM.c.run_id == run_id) & (STREAM.c.seq == seq)
        session.execute(delete(STREAM).where(of_run, STREAM.c.number.in_(numbers)))
    return len(some)


def _forget(session: Session, made: Sequence[UUID]) -> None:
    """Forget the requests that made these runs or contexts: a repeated one makes them anew."""
    session.execute(delete(Request).where(col(Request.made_id).in_(made)))


def _refuse_tagged(session: Session, which: ColumnElement[bool]) -> None:
    tag = session.scalars(select(Tag).where(which).limit(1)).first()
    if tag is not None:
        is_run = tag.subject_id == tag.run_id
        kind, path = ("Run", "runs") if is_run else ("Checkpoint", "checkpoints")
        raise CheckpointTagged(
            f"{kind} {tag.subject_id} is tagged, and kept. Take its tags off first: "
            f'PATCH /{path}/{tag.subject_id} with {{"tags": []}}.'
        )
