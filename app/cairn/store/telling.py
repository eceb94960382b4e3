"""Telling: events from outside become messages to runs, unless nothing waits for them."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, literal, outerjoin, select
from sqlmodel import Session, col
from sqlmodel import select as select_one

from cairn.engine.core.advance import advance
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.questions import open_questions
from cairn.engine.core.records import ENDED
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.ids import new_id
from cairn.engine.language.graph import Graph
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import EventNotWanted, QuestionAnswered, RunEnded
from cairn.store import blobs, facets, not_found, requests, snapshots
from cairn.store.blobs import Packer, Unpacker
from cairn.store.facets import FacetValues
from cairn.store.requests import Repeatable
from cairn.store.rows import CHECKPOINTS, MESSAGES
from cairn.store.runs import InboxMessage
from cairn.store.tables import Checkpoint, Message, Run


def tell(
    session: Session,
    run_id: UUID,
    event: SealedEvent,
    request: Repeatable | None,
    graph: Graph,
) -> InboxMessage | None:
    """Store a message to a run.

    A run takes an event that one of its steps takes, or that it waits for. A run that goes on takes
    others, too, since it may come to wait for the event later; but no second answer to what it has
    waited for. Of two clients that answer at once, the second is told so.

    Args:
        session: the session.
        run_id: the run's id.
        event: the message's event.
        request: the request, if the request can be repeated.
        graph: the graph of the run's workflow.

    Returns:
        The message; `None` for a repeated request.

    Raises:
        NotFound: there is no such run.
        RunEnded: the run has ended.
        EventNotWanted: the run waits for other events, and no step takes this one.
        QuestionAnswered: the run has waited for the event, and has had one; no step takes another.
        KeyReused: the request is repeated with another body.
    """
    if requests.made_by(session, request) is not None:
        return None
    run = session.get(Run, run_id, with_for_update=True)  # one message at a time
    if run is None:
        raise not_found.run(run_id)
    if run.status in ENDED:
        raise RunEnded(
            f"Run {run_id} is {run.status}, and takes no more events. "
            "Rerun it from one of its checkpoints."
        )
    if not graph.routes[event.type].starts:
        _check_wanted(session, run, event.type, graph)
    packer = Packer()
    message = InboxMessage(new_id(), event)
    session.add(Message(id=message.id, run_id=run_id, event=packer.event(event)))
    session.flush()
    blobs.store(session.connection(), {run_id: packer.gathered()})
    requests.remember(session, request, run_id)
    return message


def _check_wanted(session: Session, run: Run, event_type: str, graph: Graph) -> None:
    """Refuse an event that no step takes, unless the run waits for it, or may come to.

    Not by `waiting_for` of the row: the code may have changed since, and messages have come.
    """
    seq, unread = _unread(session, run.id)
    snapshot = snapshots.at(session, run.id, seq) if seq else snapshots.start(session, run).snapshot
    for event in unread:
        snapshot = snapshot.after(advance(graph.routes, snapshot, Received(Sent(event))))
    open_ = open_questions(graph.routes, snapshot)
    wanted = list(dict.fromkeys(question.type for question in open_))
    if event_type in wanted:
        return
    if _was_answered(session, run, event_type, snapshot, unread):
        raise QuestionAnswered(
            f"Run {run.id} does not wait for a {event_type} any more: what it asked has been "
            f"answered, and no step takes another. GET /runs/{run.id} shows what it waits for."
        )
    if run.status == "waiting" and not unread:
        raise EventNotWanted(
            f"Run {run.id} does not wait for a {event_type}, and no step of it takes one. It waits "
            f"for: {', '.join(wanted) or 'nothing'}. Its steps take: {', '.join(graph.taken)}."
        )


def _unread(session: Session, run_id: UUID) -> tuple[int, list[SealedEvent]]:
    """The `seq` of the run's head, and the messages that the run has not read.

    By one statement: on PostgreSQL, another process may make a checkpoint of a message between two.
    """
    head = select(func.coalesce(func.max(CHECKPOINTS.c.seq), 0).label("seq"))
    newest = head.where(CHECKPOINTS.c.run_id == run_id).subquery()
    both = outerjoin(newest, MESSAGES, MESSAGES.c.run_id == literal(run_id, MESSAGES.c.run_id.type))
    query = select(newest.c.seq, MESSAGES.c.event).select_from(both).order_by(MESSAGES.c.id)
    rows = session.execute(query).all()
    payloads = [event for _, event in rows if event is not None]
    unpacker = Unpacker(session, payloads)
    return rows[0].seq, [unpacker.event(payload) for payload in payloads]


def _was_answered(
    session: Session, run: Run, event_type: str, snapshot: Snapshot, unread: Sequence[SealedEvent]
) -> bool:
    """True if a wait of the run has had an event of the type.

    A wait is in the snapshot until its step completes. Later, more such events have come than stand
    unclaimed: no step takes one, so that a wait has.

    Args:
        session: the session.
        run: the run's row.
        event_type: the type, which no step takes.
        snapshot: the snapshot after the messages.
        unread: the messages.
    """
    if any(w.type == event_type and w.answer is not None for w in snapshot.waits.values()):
        return True
    received = facets.id_of(FacetValues(run.workflow, None, None, event_type))
    unclaimed = sum(event.type == event_type for event in snapshot.unclaimed.values())
    came = sum(event.type == event_type for event in unread)
    if came > unclaimed:
        return True
    query = select_one(Checkpoint.id).where(
        Checkpoint.run_id == run.id, Checkpoint.facets_id == received
    )
    read = session.exec(query.order_by(col(Checkpoint.seq)).limit(unclaimed - came + 1)).all()
    return came + len(read) > unclaimed
