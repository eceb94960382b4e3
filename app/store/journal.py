"""The engine's journal, kept in the database: one fact, one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from app.engine.journal import ENDED, Failure, HeadMoved, Record, Status
from app.engine.snapshot import Snapshot, whole
from app.store import blobs, kinds
from app.store.blobs import Packer
from app.store.columns import now
from app.store.database import Database
from app.store.kinds import Traits
from app.store.seen import Error, Seen
from app.store.tables import Checkpoint, Context, Message, Run

WHOLE_EVERY = 200
"""How many checkpoints may stand between two whole snapshots: what reading one costs at most."""

LONGEST_MESSAGE = 10_000  # characters of an error's message

CHECKPOINTS: Table = Checkpoint.__table__  # type: ignore[attr-defined]
CONTEXTS: Table = Context.__table__  # type: ignore[attr-defined]
MESSAGES: Table = Message.__table__  # type: ignore[attr-defined]
RUNS: Table = Run.__table__  # type: ignore[attr-defined]

UNDER_WAY = ("queued", "running", "waiting")
ADD = insert(CHECKPOINTS)
HEARD = delete(MESSAGES).where(MESSAGES.c.id == bindparam("heard"))
MOVE = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("run"))
    .values(status=bindparam("now"), started_at=bindparam("began"))
)
FINISH = MOVE.values(
    worker_id=None,
    is_to_cancel=False,
    finished_at=bindparam("ended"),
    stop_event=bindparam("stop"),
    error_type=bindparam("type"),
    error_message=bindparam("message"),
    error_step=bindparam("step"),
)
LEAVE = (
    update(CONTEXTS).where(CONTEXTS.c.id == bindparam("context")).values(state=bindparam("left"))
)


class End(NamedTuple):
    """What is written of a run when it has ended."""

    stop_event: bytes | None
    failure: Failure | None
    state: bytes  # what it leaves in its context


@dataclass(slots=True)
class Facts:
    """Facts of one run, as they are written: all together, or not at all."""

    run: Run
    worker: UUID
    rows: list[dict[str, Any]]
    heard: list[UUID]
    kinds: list[Traits]
    blobs: dict[bytes, bytes]
    status: Status | None  # where it has changed
    began: datetime | None
    end: End | None
    moment: datetime

    @property
    def weight(self) -> int:
        """How many bytes there are to write, roughly."""
        return 1_000 * len(self.rows) + sum(map(len, self.blobs.values()))


class RunJournal:
    """Where one run's facts are kept.

    Attributes:
        worker: for whom it writes.
        seen: how the run stands, as whoever asks for it sees it; `None` if it had begun before.
        following: once the run has ended, the run of its context whose turn it is then, which
            this worker has been given.
    """

    at_once = False

    def __init__(
        self,
        database: Database,
        run: Run,
        worker: UUID,
        snapshot: Snapshot,
        new: Seen | None = None,
    ) -> None:
        self.seen = new
        self.following: UUID | None = None
        self._database = database
        self._run = run
        self.worker = worker
        self._snapshot = snapshot
        self._status = run.status
        self._began = run.started_at
        self._packer = Packer()

    async def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> None:
        """Commit the checkpoints and the status after them, all together.

        Raises:
            HeadMoved: the run already has a checkpoint with such a `seq`, or is driven by another
                worker.
            Unavailable: the database was out of reach for too long.
        """
        if records:
            self._snapshot = records[-1].snapshot
        facts = self._facts(records, status, failure)
        self.following = await self._database.write_together(
            append, facts, facts.weight, is_patient=True
        )
        self._status = status
        self._packer.stored(facts.blobs)
        self._database.kinds.update(facts.kinds)
        if self.seen is not None:
            self._show(self.seen, facts, failure)

    def _show(self, seen: Seen, facts: Facts, failure: Failure | None) -> None:
        self.seen = replace(
            seen,
            status=self._status,
            checkpoint_count=seen.checkpoint_count + len(facts.rows),
            started_at=facts.began,
            finished_at=None if facts.end is None else facts.moment,
            stop_event=self._snapshot.stopped,
            error=None
            if failure is None
            else Error(failure.type, _storable(failure.message), failure.step),
        )

    def _facts(self, records: Sequence[Record], status: Status, failure: Failure | None) -> Facts:
        run, packer, known = self._run, self._packer, self._database.kinds
        traits = [_traits(run, record) for record in records]
        rows = [self._row(*pair) for pair in zip(records, traits, strict=True)]
        end = self._end(failure) if status in ENDED else None
        moment = now()
        if records and self._began is None:
            self._began = moment
        return Facts(
            run,
            self.worker,
            rows,
            # The start event is the run's own, and no message.
            [r.message for r in records if r.message is not None and r.message != run.id],
            [kind for kind in dict.fromkeys(traits) if kind not in known],
            packer.gathered(),
            status if status != self._status else None,
            self._began,
            end,
            moment,
        )

    def _end(self, failure: Failure | None) -> End:
        snapshot = self._snapshot
        stopped = None if snapshot.stopped is None else self._packer.event(snapshot.stopped)
        return End(stopped, failure, self._packer.state(snapshot.state))

    def _row(self, record: Record, traits: Traits) -> dict[str, Any]:
        packer, taken, given = self._packer, record.input_event, record.output_event
        is_whole = record.seq == 1 or record.seq % WHOLE_EVERY == 0
        return {
            "id": record.id,
            "run_id": record.run,
            "seq": record.seq,
            "context_id": self._run.context_id,
            "kind_id": kinds.id_of(traits),
            "parent_id": record.parent,
            "input_event": None if taken is None else packer.event(taken),
            "output_event": None if given is None else packer.event(given),
            "delta": packer.delta(record.delta),
            "whole": packer.delta(whole(record.snapshot)) if is_whole else None,
            "created_at": now(),
        }


def append(
    connection: Connection, worker: UUID | None, facts: Sequence[Facts]
) -> list[UUID | HeadMoved | None]:
    """Commit facts of several runs, each a run's that the worker drives.

    Returns:
        For each, the run whose turn it is if it has ended; or why nothing was written for it.
    """
    ours = [it for it in facts if it.worker == worker]
    kinds.store(connection, {kind for it in ours for kind in it.kinds})
    blobs.store(connection, _owned(ours))
    rows = [row for it in ours for row in it.rows]
    if rows:
        try:
            connection.execute(ADD, rows)
        except IntegrityError as error:
            raise HeadMoved(f"Run {ours[0].run.id} has moved on.") from error
    heard = [{"heard": message} for it in ours for message in it.heard]
    if heard:
        connection.execute(HEARD, heard)
    _update_runs(connection, ours)
    ended = {it.run.context_id for it in ours if it.end is not None}
    following = _hand_on(connection, worker, ended) if worker is not None else {}
    return [
        following.get(it.run.context_id)
        if it.worker == worker
        else HeadMoved(f"Run {it.run.id} is driven by another worker.")
        for it in facts
    ]


def _owned(facts: Iterable[Facts]) -> dict[UUID, dict[bytes, bytes]]:
    owned: dict[UUID, dict[bytes, bytes]] = {}
    for it in facts:
        if it.blobs:
            owned.setdefault(it.run.id, {}).update(it.blobs)
    return owned


def _update_runs(connection: Connection, facts: Iterable[Facts]) -> None:
    """Write how the runs stand now, and what those that have ended leave; in the order of their
    ids, since two transactions that take rows in different orders can lock each other out."""
    changed = sorted((it for it in facts if it.status is not None), key=lambda it: it.run.id)
    moved = [_standing(it) for it in changed if it.end is None]
    if moved:
        connection.execute(MOVE, moved)
    ended = [(it, it.end) for it in changed if it.end is not None]
    if ended:
        connection.execute(FINISH, [_standing(it) | _ending(it, end) for it, end in ended])
        leave_states(connection, {it.run.context_id: end.state for it, end in ended})


def leave_states(connection: Connection, states: Mapping[UUID, bytes]) -> None:
    """The contexts stand where the runs that have ended leave them."""
    rows = [{"context": context, "left": state} for context, state in sorted(states.items())]
    connection.execute(LEAVE, rows)
    blobs.use_only(connection, {it: blobs.digests_in([state]) for it, state in states.items()})


def _standing(facts: Facts) -> dict[str, Any]:
    return {"run": facts.run.id, "now": facts.status, "began": facts.began}


def _ending(facts: Facts, end: End) -> dict[str, Any]:
    failure = end.failure
    return {
        "ended": facts.moment,
        "stop": end.stop_event,
        "type": None if failure is None else failure.type,
        "message": None if failure is None else _storable(failure.message),
        "step": None if failure is None else failure.step,
    }


def _hand_on(connection: Connection, worker: UUID, contexts: set[UUID]) -> dict[UUID, UUID]:
    """In each context, the oldest run that has not begun is the worker's, unless one is under
    way there."""
    if not contexts:
        return {}
    waits = select(RUNS.c.context_id).where(*_waits(RUNS.c.context_id.in_(contexts))).distinct()
    following: dict[UUID, UUID] = {}
    for context in connection.scalars(waits).all():
        under_way = RUNS.c.started_at.is_not(None) & RUNS.c.status.in_(UNDER_WAY)
        of_context = RUNS.c.context_id == context
        if connection.scalar(select(RUNS.c.id).where(of_context, under_way).limit(1)) is None:
            first = select(RUNS.c.id).where(*_waits(of_context)).order_by(RUNS.c.id).limit(1)
            following[context] = connection.execute(first).scalar_one()
    for run in following.values():
        connection.execute(update(RUNS).where(RUNS.c.id == run).values(worker_id=worker))
    return following


def _waits(which: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    """The runs that wait for their turn."""
    return which, RUNS.c.status == "queued", RUNS.c.worker_id.is_(None)


def _traits(run: Run, record: Record) -> Traits:
    taken, given = record.input_event, record.output_event
    return Traits(
        run.workflow,
        record.last_completed_step,
        None if taken is None else taken.type,
        None if given is None else given.type,
    )


def _storable(text: str) -> str:
    """The text as any database takes it: of bounded length, valid Unicode, and without the zero
    byte, for which PostgreSQL has no room."""
    return text[:LONGEST_MESSAGE].encode(errors="replace").decode().replace("\0", "?")
