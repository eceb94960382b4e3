"""Runs: started, rerun, sent messages and cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel import Session, col, or_, select

from cairn.engine.core.records import ENDED, Head, Status
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.ids import new_id
from cairn.engine.runtime.tries import Earlier
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import (
    ContextBusy,
    ContextOfAnotherWorkflow,
)
from cairn.store import blobs, contexts, not_found, requests, snapshots, workers
from cairn.store.appending import ADD_RUN, leave_states
from cairn.store.blobs import Packer
from cairn.store.clock import now
from cairn.store.questions import OpenQuestion
from cairn.store.requests import Repeatable
from cairn.store.rows import UNDER_WAY, run_row
from cairn.store.run_views import RunView
from cairn.store.snapshots import ResumePoint
from cairn.store.tables import Context, Run


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """A message to a run, or its start event, which has the id of the run."""

    id: UUID
    event: SealedEvent


@dataclass(frozen=True, slots=True)
class Claimed:
    """All that a worker needs to carry a run forward.

    Attributes:
        run: the run as clients see it; without the start event if the run has begun before.
        worker: the worker that the run is claimed for.
        resume_point: the snapshot and the head to go on from.
        unread: the messages that the run has not read, with the start event of a new run.
        questions: the questions that stood open when the run was written last.
        recoveries: the number of workers that have died driving the run since its last checkpoint.
        is_stored: whether the run is stored; otherwise it is stored with its first checkpoint.
        before: the run's status before the claim.
        stream_number: the number of the newest entry of the stream after the head.
        earlier: the attempts at pending deliveries that earlier processes have begun.
    """

    run: RunView
    worker: UUID
    resume_point: ResumePoint
    unread: list[InboxMessage]
    questions: Sequence[OpenQuestion] = ()
    recoveries: int = 0
    is_stored: bool = True
    before: Status = "queued"
    stream_number: int = 0
    earlier: Mapping[int, Earlier] = field(default_factory=dict)


def fresh(workflow: str, event: SealedEvent, worker: UUID) -> Claimed:
    """A claim of a new run in a context of its own, to be stored with its first checkpoint.

    Args:
        workflow: the name of the run's workflow.
        event: the start event.
        worker: the worker that is to drive the run.
    """
    run_id = new_id()
    run = RunView(
        id=run_id,
        workflow=workflow,
        status="queued",
        context_id=new_id(),
        start_event=event,
        root_run_id=run_id,
        created_at=now(),
    )
    start_event = InboxMessage(run_id, event)
    return Claimed(run, worker, ResumePoint(Snapshot(), Head()), [start_event], is_stored=False)


def start(
    session: Session,
    workflow: str,
    event: SealedEvent,
    context_id: UUID | None,
    may_wait: bool,
    request: Repeatable | None,
) -> UUID:
    """Accept a run.

    Args:
        session: the session.
        workflow: the name of the run's workflow.
        event: the start event.
        context_id: the id of the run's context; `None` makes a context.
        may_wait: whether the run may wait for the context's other runs.
        request: the request, if the request can be repeated.

    Returns:
        The run's id; for a repeated request, the id of the run made before.

    Raises:
        NotFound: there is no such context.
        ContextOfAnotherWorkflow: the context is one of another workflow's.
        ContextBusy: another run is under way in the context, and this one may not wait.
        KeyReused: the request is repeated with another body.
    """
    made = requests.made_by(session, request)
    if made is not None:
        return made
    context = _context(session, workflow, context_id)
    is_busy = is_busy_for(session, context.id)
    if is_busy and not may_wait:
        raise ContextBusy(
            f"A run is under way in context {context.id}. Wait for it, "
            'or start with "if_busy": "queue" to be next.'
        )
    packer = Packer()
    worker = None if is_busy else workers.own(session)
    run_id, moment = new_id(), now()  # together: lists of a time are found by the ids
    row = run_row(run_id, workflow, context.id, packer.event(event), worker, moment)
    session.connection().execute(ADD_RUN, row)
    blobs.store(session.connection(), {run_id: packer.gathered()})
    requests.remember(session, request, run_id)
    return run_id


def cancel(session: Session, run_id: UUID) -> Status:
    """Cancel a run.

    A run without a worker, or of this process, ends at once. A run of another process is marked,
    and that process cancels the run. A run that has ended stays as it is.

    Returns:
        The run's status after that.

    Raises:
        NotFound: there is no such run.
    """
    run = session.get(Run, run_id, with_for_update=True)
    if run is None:
        raise not_found.run(run_id)
    if run.status in ENDED:
        return run.status
    if run.worker_id not in (None, workers.own(session)):
        run.is_to_cancel = True
        session.add(run)
        return run.status
    snapshot = snapshots.start(session, run).snapshot
    end(session, run, "cancelled", "WorkflowCancelledByUser", "The run was cancelled.")
    leave(session, run, snapshot)
    return run.status


def end(session: Session, run: Run, status: Status, error: str, message: str) -> None:
    """End a run by other means than a checkpoint.

    Args:
        session: the session.
        run: the run's row.
        status: the status of the ended run.
        error: the type of the error.
        message: the error's message.
    """
    run.status = status
    run.finished_at = now()
    run.worker_id, run.is_to_cancel = None, False
    run.recoveries, run.wakes_at, run.waiting_for, run.keeps_events = 0, None, None, False
    run.error_type, run.error_message = error, message
    session.add(run)


def leave(session: Session, run: Run, snapshot: Snapshot) -> None:
    """Leave the snapshot's state in the run's context, if the run has begun."""
    if run.started_at is not None:
        packer = Packer()
        state = packer.state(snapshot.state)
        blobs.store(session.connection(), {run.id: packer.gathered()})
        leave_states(session.connection(), {run.context_id: state})


def is_busy_for(session: Session, context_id: UUID, run_id: UUID | None = None) -> bool:
    """True if a run must wait for another run of the context.

    Another run that has begun and not ended is waited for, and so is a queued run that was accepted
    before.

    Args:
        session: the session.
        context_id: the context's id.
        run_id: the id of the run that may have to wait; `None` for one that is yet to be accepted.
    """
    query = select(Run.id).where(Run.context_id == context_id, col(Run.status).in_(UNDER_WAY))
    if run_id is not None:
        query = query.where(
            Run.id != run_id, or_(col(Run.started_at).is_not(None), col(Run.id) < run_id)
        )
    return session.exec(query.limit(1)).first() is not None


def _context(session: Session, workflow: str, context_id: UUID | None) -> Context:
    if context_id is None:
        return contexts.create(session, workflow)
    context = contexts.claim(session, context_id)
    if context.workflow != workflow:
        raise ContextOfAnotherWorkflow(
            f"Context {context_id} is one of workflow {context.workflow!r}, and cannot be used "
            f"with {workflow!r}. POST /contexts makes another."
        )
    return context
