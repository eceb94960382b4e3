"""The engine's journal, kept in the database: one fact, one transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Table, delete, insert, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from app.engine.journal import ENDED, Failure, HeadMoved, Record, Status
from app.engine.snapshot import Snapshot, whole
from app.store.blobs import Packer
from app.store.database import Database
from app.store.tables import Checkpoint, Context, Message, Run, now

WHOLE_EVERY = 200
"""How many checkpoints may stand between two whole snapshots: what reading one costs at most."""

LONGEST_MESSAGE = 10_000  # characters of an error's message

CHECKPOINTS: Table = Checkpoint.__table__  # type: ignore[attr-defined]


class RunJournal:
    """Where one run's facts are kept."""

    at_once = False

    def __init__(self, database: Database, run: Run, snapshot: Snapshot, head_seq: int) -> None:
        self._database = database
        self._run = run
        self._snapshot = snapshot
        self._seq = head_seq
        self._status = run.status

    async def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> None:
        """Commit the checkpoints and the status after them, all together.

        Raises:
            HeadMoved: the run already has a checkpoint with such a `seq`, or has ended.
        """
        if records:
            self._snapshot = records[-1].snapshot
        packer = Packer()
        rows = [self._row(record, packer) for record in records]
        heard = [record.message for record in records if record.message is not None]
        changes: dict[str, Any] = {}
        if status != self._status:
            changes = self._changes(status, failure, packer)
        state = packer.state(self._snapshot.state) if status in ENDED else None
        await self._database.write(self._append, packer, rows, heard, changes, state)
        self._status = status
        self._seq += len(records)

    def _append(
        self,
        session: Session,
        packer: Packer,
        rows: list[dict[str, Any]],
        heard: list[UUID],
        changes: dict[str, Any],
        state: bytes | None,
    ) -> None:
        packer.store(session)
        if rows:
            try:
                session.execute(insert(CHECKPOINTS), rows)
            except IntegrityError as error:
                raise HeadMoved(f"Run {self._run.id} has moved on.") from error
        elif self._moved(session):
            raise HeadMoved(f"Run {self._run.id} has moved on.")
        if heard:
            session.execute(delete(Message).where(col(Message.id).in_(heard)))
        if not changes:
            run_status = select(Run.status).where(Run.id == self._run.id)
            if session.exec(run_status).one() in ENDED:
                raise HeadMoved(f"Run {self._run.id} has ended.")
        else:
            run = update(Run).where(col(Run.id) == self._run.id, col(Run.status).not_in(ENDED))
            result = session.execute(run.values(**changes))
            if isinstance(result, CursorResult) and result.rowcount == 0:
                raise HeadMoved(f"Run {self._run.id} has ended.")
        if state is not None:
            context = update(Context).where(col(Context.id) == self._run.context_id)
            session.execute(context.values(state=state))

    def _moved(self, session: Session) -> bool:
        """Whether somebody has written a checkpoint that we do not know."""
        theirs = select(Checkpoint.id).where(
            Checkpoint.run_id == self._run.id, Checkpoint.seq > self._seq
        )
        return session.exec(theirs.limit(1)).first() is not None

    def _changes(self, status: Status, failure: Failure | None, packer: Packer) -> dict[str, Any]:
        changes: dict[str, Any] = {"status": status}
        if status in ENDED:
            changes["finished_at"] = now()
        if self._snapshot.stopped is not None:
            changes["stop_event"] = packer.event(self._snapshot.stopped)
        if failure is not None:
            changes["error_type"] = failure.type
            changes["error_message"] = _storable(failure.message)
            changes["error_step"] = failure.step
        return changes

    def _row(self, record: Record, packer: Packer) -> dict[str, Any]:
        taken, given = record.input_event, record.output_event
        is_whole = record.seq == 1 or record.seq % WHOLE_EVERY == 0
        return {
            "id": record.id,
            "run_id": record.run,
            "seq": record.seq,
            "context_id": self._run.context_id,
            "workflow": self._run.workflow,
            "parent_id": record.parent,
            "last_completed_step": record.last_completed_step,
            "input_event_type": None if taken is None else taken.type,
            "output_event_type": None if given is None else given.type,
            "input_event": None if taken is None else packer.event(taken),
            "output_event": None if given is None else packer.event(given),
            "delta": packer.delta(record.delta),
            "whole": packer.delta(whole(record.snapshot)) if is_whole else None,
            "created_at": now(),
        }


def _storable(text: str) -> str:
    """The text as any database takes it: of bounded length, valid Unicode, and without the zero
    byte, for which PostgreSQL has no room."""
    return text[:LONGEST_MESSAGE].encode(errors="replace").decode().replace("\0", "?")
