"""Runs: started, rerun, claimed by a worker, told, and found."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, and_, col, not_, or_, select

from app.engine.ids import new_id
from app.engine.journal import ENDED, Head
from app.engine.serialization import SealedEvent
from app.engine.snapshot import Snapshot, whole
from app.errors import Conflict, NotFound
from app.store import checkpoints, contexts, requests, snapshots
from app.store.blobs import Packer, Unpacker
from app.store.requests import Repeatable
from app.store.tables import Context, Message, Run, now


@dataclass(frozen=True, slots=True)
class Said:
    """A message to a run."""

    id: UUID
    event: SealedEvent


@dataclass(frozen=True, slots=True)
class Claimed:
    """All that a worker needs to carry a run forward."""

    run: Run
    snapshot: Snapshot
    head: Head
    unheard: list[Said]


def start(
    session: Session,
    workflow: str,
    event: SealedEvent,
    context_id: UUID | None,
    may_wait: bool,
    request: Repeatable | None,
) -> UUID:
    """Accept a run: it is queued, with its start event as the first message to it.

    Args:
        context_id: the context to run in; `None` makes one.
        may_wait: whether it may wait for the context's other runs.

    Returns:
        The run's id; for a repeated request, that of the run it has made.

    Raises:
        NotFound: there is no such context.
        Conflict: the context is another workflow's, or is busy and the run may not wait; or the
            request is repeated with another body.
    """
    made = requests.made_by(session, request)
    if made is not None:
        return made
    context = _context(session, workflow, context_id)
    if not may_wait and _busy_with(session, context.id) is not None:
        raise Conflict(
            f"A run is under way in context {context.id}. Wait for it, "
            'or start with "if_busy": "queue" to be next.'
        )
    run_id = new_id()
    packer = Packer()
    payload = packer.event(event)
    session.add(
        Run(
            id=run_id,
            workflow=workflow,
            context_id=context.id,
            status="queued",
            start_event=payload,
            root_run_id=run_id,
        )
    )
    session.flush()
    session.add(Message(id=new_id(), run_id=run_id, event=payload))
    packer.store(session)
    requests.remember(session, request, run_id)
    return run_id


def rerun(session: Session, checkpoint_id: UUID, request: Repeatable | None) -> UUID:
    """Accept a run that begins where a checkpoint stands.

    Raises:
        NotFound: there is no such checkpoint.
        Conflict: nothing is left to run from there; or the request is repeated with another body.
    """
    made = requests.made_by(session, request)
    if made is not None:
        return made
    origin = checkpoints.find(session, checkpoint_id)
    snapshot = snapshots.at(session, origin.run_id, origin.seq)
    if snapshot.stopped is not None:
        raise Conflict(
            f"The run had ended at checkpoint {checkpoint_id}: nothing is left to run from there. "
            "Take an earlier checkpoint."
        )
    source = session.get_one(Run, origin.run_id)
    packer = Packer()
    run = Run(
        id=new_id(),
        workflow=source.workflow,
        context_id=source.context_id,
        status="queued",
        start_event=source.start_event,
        parent_run_id=source.id,
        root_run_id=source.root_run_id,
        origin_checkpoint_id=origin.id,
        base=packer.delta(whole(snapshot)),
    )
    session.add(run)
    packer.store(session)
    requests.remember(session, request, run.id)
    return run.id


def claim(session: Session, run_id: UUID, loaded: Collection[str]) -> Claimed | None:
    """Take a run to carry it forward; `None` if it has ended, or it is not its turn.

    A run that was started in a context waits for the ones before it. A rerun does not: it begins
    with its checkpoint's state.

    Args:
        loaded: the names of the workflows that can be run.

    Raises:
        NotFound: the run's is none of them; it is left as it is.
    """
    run = session.get(Run, run_id)
    if run is None or run.status in ENDED:
        return None
    if run.workflow not in loaded:
        raise NotFound(f"Run {run_id} is left alone: workflow {run.workflow!r} is not loaded.")
    if run.started_at is None:
        if run.base is None and _busy_with(session, run.context_id, before=run_id) is not None:
            return None
        run.started_at = now()
        run.status = "running"
        session.add(run)
    snapshot, head = snapshots.start(session, run)
    return Claimed(run, snapshot, head, unheard(session, run_id))


def after(session: Session, run_id: UUID) -> tuple[bool, UUID | None]:
    """Whether the run has ended; and if so, whose turn it is now: the oldest run of its context
    that has not begun."""
    run = session.get_one(Run, run_id)
    if run.status not in ENDED:
        return False, None
    queued = select(Run.id).where(Run.context_id == run.context_id, Run.status == "queued")
    return True, session.exec(queued.order_by(col(Run.id)).limit(1)).first()


def unfinished(session: Session) -> tuple[list[UUID], list[UUID]]:
    """The runs that have been accepted and have not ended, oldest first: those that have something
    to do, and those that wait and have been told nothing."""
    runs = select(Run.id).order_by(col(Run.id))
    is_waiting = col(Run.status) == "waiting"
    is_told = col(Run.id).in_(select(Message.run_id))
    active = runs.where(or_(col(Run.status).in_(("queued", "running")), and_(is_waiting, is_told)))
    waiting = runs.where(is_waiting, not_(is_told))
    return list(session.exec(active).all()), list(session.exec(waiting).all())


def tell(
    session: Session, run_id: UUID, event: SealedEvent, request: Repeatable | None
) -> Said | None:
    """Say something to a run.

    Returns:
        What was said; `None` for a repeated request.

    Raises:
        NotFound: there is no such run.
        Conflict: it has ended.
    """
    if requests.made_by(session, request) is not None:
        return None
    run = session.get(Run, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    if run.status in ENDED:
        raise Conflict(
            f"Run {run_id} is {run.status}, and takes no more events. "
            "Rerun it from one of its checkpoints."
        )
    packer = Packer()
    said = Said(new_id(), event)
    session.add(Message(id=said.id, run_id=run_id, event=packer.event(event)))
    packer.store(session)
    requests.remember(session, request, run_id)
    return said


def unheard(session: Session, run_id: UUID) -> list[Said]:
    """What has been said to the run and has not become a checkpoint, in order."""
    messages = session.exec(
        select(Message).where(Message.run_id == run_id).order_by(col(Message.id))
    ).all()
    unpacker = Unpacker(session, (message.event for message in messages))
    return [Said(m.id, unpacker.event(m.event)) for m in messages]


def cancel(session: Session, run_id: UUID) -> None:
    """End a run that nobody carries forward; one that has ended stays as it is."""
    run = session.get_one(Run, run_id)
    if run.status not in ENDED:
        run.status = "cancelled"
        run.finished_at = now()
        run.error_type, run.error_message = "WorkflowCancelledByUser", "The run was cancelled."
        session.add(run)
        if run.started_at is not None:
            _leave_state(session, run)


def _leave_state(session: Session, run: Run) -> None:
    """The context stands where the run has left it."""
    packer = Packer()
    snapshot, _ = snapshots.start(session, run)
    context = session.get_one(Context, run.context_id)
    context.state = packer.state(snapshot.state)
    session.add(context)
    packer.store(session)


def _context(session: Session, workflow: str, context_id: UUID | None) -> Context:
    if context_id is None:
        return contexts.create(session, workflow)
    context = contexts.find(session, context_id)
    if context.workflow != workflow:
        raise Conflict(
            f"Context {context_id} is one of workflow {context.workflow!r}, and cannot be used "
            f"with {workflow!r}. POST /contexts makes another."
        )
    return context


def _busy_with(session: Session, context_id: UUID, before: UUID | None = None) -> UUID | None:
    """A run of the context that has not ended: begun, or queued before the given one."""
    query = select(Run.id).where(
        Run.context_id == context_id, col(Run.status).in_(("queued", "running", "waiting"))
    )
    if before is not None:
        query = query.where(
            Run.id != before, or_(col(Run.started_at).is_not(None), col(Run.id) < before)
        )
    return session.exec(query.limit(1)).first()
