"""Claims: which runs a worker has to carry forward, and what it needs for that."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, case
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, exists, or_, select

from app.engine.journal import ENDED
from app.errors import Damaged, WorkflowNotLoaded
from app.store import runs, snapshots, workers
from app.store.blobs import Unpacker
from app.store.rows import UNDER_WAY
from app.store.runs import Claimed, Said
from app.store.seen import as_new
from app.store.tables import Message, Run

AT_ONCE = 1_000  # runs that are looked for at most


def claim(session: Session, run_id: UUID, loaded: Collection[str]) -> Claimed | None:
    """Take a run to carry it forward; `None` if it has ended, another worker drives it, or it is
    not its turn.

    A run that was started in a context waits for the ones before it. A rerun does not: it begins
    with its checkpoint's state.

    Args:
        loaded: the names of the workflows that can be run.

    Raises:
        WorkflowNotLoaded: the run's is none of them; it is left as it is.
    """
    worker = workers.own(session)
    run = session.get(Run, run_id, with_for_update=True)
    if run is None or run.status in ENDED or run.worker_id not in (None, worker):
        return None
    if run.workflow not in loaded:
        raise WorkflowNotLoaded(
            f"Run {run_id} is left alone: workflow {run.workflow!r} is not loaded."
        )
    waits = run.started_at is None and run.base is None
    if waits and runs.is_busy_for(session, run.context_id, run_id):
        run.worker_id = None  # whoever ends the run before it hands it on
        session.add(run)
        return None
    run.worker_id = worker
    session.add(run)
    try:
        standing = snapshots.start(session, run)
        has_begun = standing.head.checkpoint is not None
        said = unheard(session, run, heard=has_begun)
        return Claimed(as_new(run, None if has_begun else said[0].event), worker, standing, said)
    except Damaged as damage:
        runs.end(session, run, "failed", type(damage).__name__, str(damage))
        return None


def unheard(session: Session, run: Run, *, heard: bool = True) -> list[Said]:
    """What has been said to the run and has not become a checkpoint, in order.

    Args:
        heard: whether the run has anything behind it, such as its start event.
    """
    messages = session.exec(
        select(Message).where(Message.run_id == run.id).order_by(col(Message.id))
    ).all()
    unpacker = Unpacker(session, (run.start_event, *(message.event for message in messages)))
    said = [] if heard else [Said(run.id, unpacker.event(run.start_event))]
    return said + [Said(message.id, unpacker.event(message.event)) for message in messages]


def nobodys(session: Session, loaded: Collection[str]) -> list[UUID]:
    """The runs that go on, and that nobody drives, oldest first; those that only wait for an event
    from outside come last. A run that waits for its turn is not among them.

    Args:
        loaded: the names of the workflows that can be run.
    """
    before = aliased(Run)
    is_before = exists().where(
        col(before.context_id) == Run.context_id,
        col(before.id) != Run.id,
        col(before.status).in_(UNDER_WAY),
        or_(col(before.started_at).is_not(None), col(before.id) < Run.id),
    )
    waits_its_turn = and_(col(Run.started_at).is_(None), col(Run.base).is_(None), is_before)
    query = (
        select(Run.id)
        .where(_is_nobodys(), col(Run.workflow).in_(loaded), ~waits_its_turn)
        .order_by(case((col(Run.status) == "waiting", 1), else_=0), col(Run.id))
        .limit(AT_ONCE)
    )
    return list(session.exec(query))


def unknown(session: Session, loaded: Collection[str]) -> list[str]:
    """The workflows of runs that nobody drives, and nobody can: they are not loaded."""
    query = select(Run.workflow).where(_is_nobodys(), col(Run.workflow).not_in(loaded))
    return sorted(session.exec(query.distinct()))


def told(session: Session, worker: UUID) -> dict[UUID, list[UUID]]:
    """The messages to the worker's runs that have not become a checkpoint: by run, in order."""
    query = (
        select(Message.run_id, Message.id)
        .join(Run, col(Run.id) == Message.run_id)
        .where(Run.worker_id == worker)
        .order_by(col(Message.id))
    )
    messages: dict[UUID, list[UUID]] = {}
    for run, message in session.exec(query):
        messages.setdefault(run, []).append(message)
    return messages


def messages(session: Session, ids: Sequence[UUID]) -> list[Said]:
    """These messages, in order."""
    found = session.exec(
        select(Message).where(col(Message.id).in_(ids)).order_by(col(Message.id))
    ).all()
    unpacker = Unpacker(session, (message.event for message in found))
    return [Said(message.id, unpacker.event(message.event)) for message in found]


def to_cancel(session: Session, worker: UUID) -> list[UUID]:
    """The worker's runs that somebody has asked another process to cancel."""
    return list(session.exec(select(Run.id).where(Run.worker_id == worker, Run.is_to_cancel)))


def _is_nobodys() -> ColumnElement[bool]:
    return and_(col(Run.worker_id).is_(None), col(Run.status).in_(UNDER_WAY))
