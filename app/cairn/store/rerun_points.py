"""RerunPoint: a checkpoint as a rerun needs it, read from the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlmodel import Session, col, select

from cairn.engine.core.facts import Completed, Fact, Received
from cairn.engine.core.snapshot import Delta, Snapshot
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import FactsUnknown
from cairn.store import checkpoints, not_found, snapshots
from cairn.store.blobs import Unpacker
from cairn.store.stored_facts import told
from cairn.store.tables import Checkpoint, Facets, Run

AT_ONCE = 500  # later checkpoints read by one query
MOST_LATER = 10_000
"""Later checkpoints that are read for a rerun that adopts.

A step that has not ended by then is executed again.
"""


@dataclass(frozen=True, slots=True)
class RerunPoint:
    """A checkpoint as a rerun needs it: a `RerunSource` of the engine.

    Attributes:
        id: the checkpoint's id; `None` for the begin of a run that has no checkpoint yet.
        parent_id: the id of the checkpoint before.
        seq: the checkpoint's number in its run.
        run: the row of the checkpoint's run.
        start_event: the start event of that run.
        snapshot: the snapshot at the checkpoint.
        before: the snapshot before the checkpoint; `None` at the begin of a run.
        last_completed_step: the step whose completion left the checkpoint, if one did.
        taken: the event that the step took.
        given: the event that the step gave, or that came from outside.
        delta: the change that the checkpoint's fact has made; `None` at the begin of a run.
        fact: the checkpoint's fact, maybe without the changes of the state; `None` if unknown.
        later: the facts after that, with their deltas; empty unless asked for.
    """

    id: UUID | None
    parent_id: UUID | None
    seq: int
    run: Run
    start_event: SealedEvent
    snapshot: Snapshot
    before: Snapshot | None = None
    last_completed_step: str | None = None
    taken: SealedEvent | None = None
    given: SealedEvent | None = None
    delta: Delta | None = None
    fact: Fact | None = None
    later: Sequence[tuple[Fact, Delta]] = ()

    @property
    def first_id(self) -> int:
        """The lowest delivery id that the checkpoint's fact could give."""
        return 1 if self.before is None else self.before.next_id

    @property
    def completed(self) -> int | None:
        """The id of the delivery whose step has completed; `None` after other facts."""
        return self.fact.delivery if isinstance(self.fact, Completed) else None

    @property
    def said_to(self) -> str | None:
        """The one step that an event from outside was addressed to, if any is known."""
        return self.fact.sent.step if isinstance(self.fact, Received) else None

    def has_answered(self, event: SealedEvent) -> bool:
        """True if the event, sent by the checkpoint's fact, has answered a step's wait."""
        waits = () if self.delta is None else self.delta.waits.put.values()
        return any(wait.answer == event for wait in waits)

    def course(self, *, with_own: bool) -> Sequence[tuple[Fact, Delta]]:
        """The facts of the run after the checkpoint, with their deltas.

        Args:
            with_own: whether the checkpoint's own fact comes first.
        """
        own = [] if self.fact is None or self.delta is None else [(self.fact, self.delta)]
        return [*own, *self.later] if with_own else self.later

    def renamed(self, names: Mapping[str, str]) -> "RerunPoint":
        """The checkpoint with steps called by their present names.

        Args:
            names: the new names of steps, by their old names.

        Raises:
            FactsUnknown: facts that are to be adopted may name a step by its old name.
        """
        snapshot = self.snapshot.renamed(names)
        before = None if self.before is None else self.before.renamed(names)
        if self.later and (snapshot is not self.snapshot or before is not self.before):
            raise FactsUnknown(
                "Steps have other names since this run: what was in flight can be executed again, "
                'and not adopted. Leave in_flight out, or say "rerun".'
            )
        step = self.last_completed_step
        return replace(
            self,
            snapshot=snapshot,
            before=before,
            last_completed_step=None if step is None else names.get(step, step),
        )


def read(session: Session, checkpoint_id: UUID, *, with_later: bool = False) -> RerunPoint:
    """The checkpoint, for a rerun.

    Args:
        session: the session.
        checkpoint_id: the checkpoint's id.
        with_later: whether the facts after the checkpoint are read, for a rerun that adopts.

    Raises:
        NotFound: there is no such checkpoint.
        FactsUnknown: the later facts are wanted, and are not all kept.
        Damaged: the checkpoint cannot be read back.
    """
    row = checkpoints.find(session, checkpoint_id)
    run = session.get(Run, row.run_id)
    facets = session.get(Facets, row.facets_id)
    if run is None or facets is None:  # the run is being deleted
        raise not_found.checkpoint(checkpoint_id)
    before, snapshot = snapshots.around(session, run, row.seq)
    step = facets.last_completed_step
    payloads = (run.start_event, row.input_event, row.output_event, row.delta, row.fact)
    unpacker = Unpacker(session, payloads)
    given, delta = unpacker.event_or_none(row.output_event), unpacker.delta(row.delta)
    point = RerunPoint(
        row.id,
        row.parent_id,
        row.seq,
        run,
        unpacker.event(run.start_event),
        snapshot,
        before,
        step,
        unpacker.event_or_none(row.input_event),
        given,
        delta,
        told(step, row.input_event is not None, given, delta)
        if row.fact is None
        else unpacker.fact(row.fact),
    )
    return replace(point, later=_later(session, point)) if with_later else point


def begin_of(session: Session, run_id: UUID) -> RerunPoint:
    """The begin of a rerun that has no checkpoint of its own yet, for another rerun.

    Raises:
        NotFound: there is no such run.
        Damaged: the base cannot be read back.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise not_found.run(run_id)
    start_event = Unpacker(session, [run.start_event]).event(run.start_event)
    return RerunPoint(
        run.origin_checkpoint_id, None, 0, run, start_event, snapshots.start(session, run).snapshot
    )


def _later(session: Session, point: RerunPoint) -> list[tuple[Fact, Delta]]:
    """The facts after the checkpoint, until all that was pending around it has ended."""
    around = {*point.snapshot.deliveries, *(point.before.deliveries if point.before else ())}
    seq, newest, found = point.seq, point.first_id, list[tuple[Fact, Delta]]()
    next_id = point.snapshot.next_id
    while around and len(found) < MOST_LATER:
        query = (
            select(Checkpoint, Facets)
            .where(Checkpoint.facets_id == Facets.id, Checkpoint.run_id == point.run.id)
            .where(Checkpoint.seq > seq)
            .order_by(col(Checkpoint.seq))
            .limit(AT_ONCE)
        )
        rows = session.exec(query).all()
        if not rows:
            break
        payloads = (p for row, _ in rows for p in (row.output_event, row.delta, row.fact))
        unpacker = Unpacker(session, payloads)
        for row, facets in rows:
            delta = unpacker.delta(row.delta)
            if row.fact is not None:
                fact = unpacker.fact(row.fact)
            else:
                given = unpacker.event_or_none(row.output_event)
                fact = _told(row, facets.last_completed_step, given, delta, newest)
            found.append((fact, delta))
            around.difference_update(delta.deliveries.drop)
            seq, newest, next_id = row.seq, next_id, delta.next_id
    return found


def _told(
    row: Checkpoint, step: str | None, given: SealedEvent | None, delta: Delta, newest: int
) -> Fact:
    """The fact that a row without a fact tells; see `stored_facts.is_told`.

    Raises:
        FactsUnknown: the row is of an earlier version, which kept no facts.
    """
    fact = told(step, row.input_event is not None, given, delta)
    if fact is None or (isinstance(fact, Completed) and fact.delivery < newest):
        raise FactsUnknown(
            "This run was made by an earlier version, which did not keep what a rerun could adopt: "
            'what was in flight can be executed again. Leave in_flight out, or say "rerun".'
        )
    return fact
