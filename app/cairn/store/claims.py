"""Claims: the runs that a worker carries forward, and the inbox of each."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, text
from sqlalchemy.orm import aliased
from sqlmodel import Session, and_, col, exists, or_, select

from cairn.engine.core.records import ENDED
from cairn.engine.core.snapshot import Snapshot
from cairn.errors import Damaged, WorkflowNotLoaded
from cairn.store import annotations, questions, runs, snapshots, tries, workers
from cairn.store.annotations import NO_ANNOTATION
from cairn.store.blobs import Unpacker
from cairn.store.clock import now
from cairn.store.rows import UNDER_WAY
from cairn.store.run_views import new_view
from cairn.store.runs import Claimed, InboxMessage
from cairn.store.tables import INNOCENT, KEEPING, SUSPECTED, UNFINISHED, Message, Run

log = structlog.get_logger(__name__)

# In the words of the partial indexes: SQLite uses such an index only for that very condition.
ORPHANED = text(f"runs.worker_id IS NULL AND runs.{UNFINISHED}")
GOES_ON = text("runs.status IN ('queued', 'running')")
WAKES = text("runs.wakes_at IS NOT NULL")

AT_ONCE = 1_000  # runs that are looked for at most
MAX_RECOVERIES = 5


class Found(NamedTuple):
    """A run that a worker has to carry forward."""

    id: UUID
    workflow: str


def claim(
    session: Session, run_id: UUID, loaded: Collection[str], max_recoveries: int = MAX_RECOVERIES
) -> Claimed | None:
    """Claim a run for this process's worker.

    A run that was started in a context waits for earlier runs there. A rerun does not: a rerun
    begins with its checkpoint's state. A run fails here if too many workers have died driving the
    run, or if its data are damaged.

    Args:
        session: the session.
        run_id: the run's id.
        loaded: the names of the workflows that can be run.
        max_recoveries: the number of workers that may die driving the run without a checkpoint
            between.

    Returns:
        The claim; `None` if the run has ended or is gone, has just failed, is driven by another
        worker, or must wait for its turn.

    Raises:
        WorkflowNotLoaded: the run's workflow is not loaded; the run is left as it is.
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
        run.worker_id = None  # the end of the run before gives it a worker
        session.add(run)
        return None
    session.add(run)
    try:
        resume_point = snapshots.start(session, run)
        has_begun = resume_point.head.checkpoint is not None
        messages = unread(session, run, with_start_event=not has_begun)
        open_questions = questions.read(session, run.waiting_for)
        earlier = tries.earlier(session, run_id, resume_point.snapshot.deliveries)
    except Damaged as damage:
        runs.end(session, run, "failed", type(damage).__name__, str(damage))
        return None
    if run.recoveries > max_recoveries:
        _give_up(session, run, resume_point.snapshot)
        return None
    # Before any step of the run starts: should this worker be declared dead, a run that was going
    # on is counted.
    before = run.status
    run.worker_id, run.status, run.started_at = worker, "running", run.started_at or now()
    run.wakes_at = None
    annotation = annotations.read(session, [run_id]).get(run_id, NO_ANNOTATION)
    view = replace(new_view(run, None if has_begun else messages[0].event), annotation=annotation)
    return Claimed(
        view,
        worker,
        resume_point,
        messages,
        open_questions,
        run.recoveries,
        before=before,
        stream_number=tries.newest_number(session, run_id, resume_point.head.seq),
        earlier=earlier,
    )


def _give_up(session: Session, run: Run, snapshot: Snapshot) -> None:
    """End a run that too many workers have died of."""
    steps = [d.step for d in snapshot.pending() if snapshot.parked_at(d) is None]
    names = ", ".join(dict.fromkeys(steps))
    under_way = f"while {names} was under way" if names else "as the run began"
    message = (
        f"The process ended {run.recoveries} times {under_way}, without a checkpoint between: it "
        "may have run out of memory, or a library may have crashed it. Mend the step, then rerun "
        "from the last checkpoint. CAIRN_MAX_RECOVERIES says how often a run is taken up again."
    )
    log.error("run given up", run=str(run.id), workflow=run.workflow, why=message)
    runs.end(session, run, "failed", "ProcessLost", message)
    run.error_step = steps[0] if steps else None
    runs.leave(session, run, snapshot)


def unread(session: Session, run: Run, *, with_start_event: bool = False) -> list[InboxMessage]:
    """The messages to the run that have not become a checkpoint, in order.

    Args:
        session: the session.
        run: the run's row.
        with_start_event: whether the run's start event comes first, as a message.
    """
    rows = session.exec(
        select(Message).where(Message.run_id == run.id).order_by(col(Message.id))
    ).all()
    unpacker = Unpacker(session, (run.start_event, *(row.event for row in rows)))
    events = [(run.id, run.start_event)] if with_start_event else []
    events += [(row.id, row.event) for row in rows]
    return [InboxMessage(id_, unpacker.event(event)) for id_, event in events]


def orphaned(session: Session, loaded: Collection[str], worker: UUID | None = None) -> list[Found]:
    """The runs without a worker that can go on now, each once.

    A run that waits for its turn in its context is left out, and so is a suspected run. A waiting
    run is found once its time has come, a message is there, or a cancel was asked for.

    Args:
        session: the session.
        loaded: the names of the workflows that can be run.
        worker: a worker whose own waiting runs are found, too, once their time has come.
    """
    before = aliased(Run)
    is_before = exists().where(
        col(before.context_id) == Run.context_id,
        col(before.id) != Run.id,
        col(before.status).in_(UNDER_WAY),
        or_(col(before.started_at).is_not(None), col(before.id) < Run.id),
    )
    waits_its_turn = and_(col(Run.started_at).is_(None), col(Run.base).is_(None), is_before)
    query = select(Run.id, Run.workflow).where(_is_of(loaded)).limit(AT_ONCE)
    free = query.where(ORPHANED).order_by(col(Run.id))
    going = free.where(GOES_ON, ~waits_its_turn, Run.recoveries <= INNOCENT)
    mine = or_(col(Run.worker_id).is_(None), Run.worker_id == worker)
    due = query.where(WAKES, col(Run.wakes_at) <= now(), mine).order_by(col(Run.wakes_at))
    to_end = free.where(text("runs.is_to_cancel"))
    with_message = free.where(Run.status == "waiting", col(Run.id).in_(select(Message.run_id)))
    found = (
        Found(*row) for some in (going, due, with_message, to_end) for row in session.exec(some)
    )
    return list(dict.fromkeys(found))


def keeping(session: Session, loaded: Collection[str]) -> list[Found]:
    """The waiting runs without a worker that hold events that no step took.

    The code that is loaded now may have a step for these events.
    """
    query = select(Run.id, Run.workflow).where(KEEPING, _is_of(loaded))
    return [Found(*row) for row in session.exec(query.order_by(col(Run.id)))]


def suspects(session: Session, worker: UUID | None, loaded: Collection[str]) -> list[Found]:
    """The suspected runs, those with the most recoveries first.

    A run is suspected if more than `INNOCENT` workers have died driving the run since its last
    checkpoint. Of several runs that were under way at each of these deaths, the run begun last is
    the likeliest cause. Hence the order of such runs is turned around with each recovery: the last
    run comes first.

    Args:
        session: the session.
        worker: the worker whose running runs are looked for; `None` for runs without a worker.
        loaded: the names of the workflows that can be run; used for runs without a worker.
    """
    driven = and_(Run.worker_id == worker, Run.status == "running")
    mine = driven if worker is not None else and_(ORPHANED, _is_of(loaded))
    query = select(Run.id, Run.workflow, Run.recoveries).where(SUSPECTED, mine).limit(AT_ONCE)
    found = session.exec(query.order_by(col(Run.recoveries).desc())).all()
    ordered = sorted(found, key=_suspicion)
    return [Found(id_, workflow) for id_, workflow, _ in ordered]


def _suspicion(suspect: tuple[UUID, str, int]) -> tuple[int, int]:
    id_, _, recoveries = suspect
    return -recoveries, id_.int if recoveries % 2 == 0 else -id_.int


def unknown(session: Session, loaded: Collection[str]) -> list[str]:
    """The names of workflows that are not loaded, of runs without a worker."""
    query = select(Run.workflow).where(ORPHANED, ~_is_of(loaded))
    return sorted(session.exec(query.distinct()))


def unread_by_run(session: Session, worker: UUID) -> dict[Found, list[UUID]]:
    """The ids of unread messages to the worker's runs, by run, in order."""
    query = (
        select(Run.id, Run.workflow, Message.id)
        .where(Run.id == Message.run_id, Run.worker_id == worker)
        .order_by(col(Message.id))
    )
    messages: dict[Found, list[UUID]] = {}
    for run, workflow, message in session.exec(query):
        messages.setdefault(Found(run, workflow), []).append(message)
    return messages


def messages(session: Session, ids: Sequence[UUID]) -> list[InboxMessage]:
    """The messages with these ids, in order; those that have been read are left out."""
    found = session.exec(
        select(Message).where(col(Message.id).in_(ids)).order_by(col(Message.id))
    ).all()
    unpacker = Unpacker(session, (message.event for message in found))
    return [InboxMessage(message.id, unpacker.event(message.event)) for message in found]


def to_cancel(session: Session, worker: UUID) -> list[UUID]:
    """The worker's runs that a client of another process has cancelled."""
    return list(session.exec(select(Run.id).where(Run.worker_id == worker, Run.is_to_cancel)))


def _is_of(workflows: Collection[str]) -> ColumnElement[bool]:
    # A concatenation, so that the index by workflow is not used: it holds all ended runs, too.
    return (col(Run.workflow) + "").in_(workflows)
