"""The journal in a database, as storages under test."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import update
from sqlmodel import Session, col, select

from cairn import StartEvent, StopEvent, Workflow, step
from cairn.conformance import ROUTES, Capability, KeptCheckpoint, KeptRun, Opened
from cairn.engine.core.records import Failure, Record
from cairn.engine.ids import new_id
from cairn.engine.values.sealed import SealedEvent
from cairn.store import claims, rerun_points, reruns, run_views, runs, snapshots, telling
from cairn.store.appending import RunCommit
from cairn.store.blobs import Unpacker
from cairn.store.clock import now
from cairn.store.database import Database
from cairn.store.journal import RunJournal
from cairn.store.reruns import Rerun
from cairn.store.runs import Claimed
from cairn.store.tables import Checkpoint, Facets, Run

NAME = "conformance"


class Named(Workflow):
    """The workflow by whose name runs are stored; the suite has routes of its own."""

    @step
    async def work(self, ev: StartEvent) -> StopEvent:
        return StopEvent()


def _no_records(claimed: Claimed, records: Sequence[Record]) -> RunCommit:
    raise AssertionError("a rerun without adopted results begins with no checkpoint")


class OneProcess:
    """Runs whose journals are all one worker's."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def lacks(self) -> Mapping[Capability, str]:
        return {Capability.OWNED: "All journals are one worker's, so no other has the run."}

    async def begin(self, start: SealedEvent, origin: UUID | None = None) -> UUID:
        if origin is None:
            return await self.database.write(runs.start, NAME, start, None, True, None)
        point = await self.database.read(rerun_points.read, origin)
        packed = reruns.packed(Rerun(new_id(), now(), point, origin, point.snapshot))
        run, _ = await self.database.write(reruns.start, packed, None, _no_records)
        return run

    async def open(self, run: UUID) -> Opened:
        return await self._claimed(self.database, run)

    async def tell(self, run: UUID, event: SealedEvent) -> UUID:
        told = await self.database.write(telling.tell, run, event, None, Named().graph)
        assert told is not None
        return told.id

    async def read(self, run: UUID) -> KeptRun:
        return await self.database.read(_kept, run)

    async def _claimed(self, database: Database, run: UUID) -> Opened:
        claimed = await database.write(claims.claim, run, {NAME})
        assert claimed is not None
        return _opened(database, claimed)


class TwoProcesses(OneProcess):
    """Runs that go from one process to the other each time that they are opened again."""

    def __init__(self, database: Database, other: Database) -> None:
        super().__init__(database)
        self._processes = database, other
        self._times: dict[UUID, int] = {}

    @property
    def lacks(self) -> Mapping[Capability, str]:
        return {}

    async def open(self, run: UUID) -> Opened:
        times = self._times[run] = self._times.get(run, 0) + 1
        if times > 1:
            free = update(Run).where(col(Run.id) == run).values(worker_id=None)
            await self.database.write(lambda session: session.connection().execute(free).rowcount)
        return await self._claimed(self._processes[(times - 1) % 2], run)


class StoredWithTheFirstFact(OneProcess):
    """Runs that depend on nothing stored, and are not stored before their first commit."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._fresh: dict[UUID, Claimed] = {}

    @property
    def lacks(self) -> Mapping[Capability, str]:
        why = "A run that is not stored yet is known to its own worker alone."
        return dict.fromkeys((Capability.SHARED, Capability.OWNED, Capability.MESSAGES), why)

    async def begin(self, start: SealedEvent, origin: UUID | None = None) -> UUID:
        if origin is not None:
            return await super().begin(start, origin)
        assert self.database.worker is not None
        claimed = runs.fresh(NAME, start, self.database.worker)
        self._fresh[claimed.run.id] = claimed
        return claimed.run.id

    async def open(self, run: UUID) -> Opened:
        fresh = self._fresh.get(run)
        return await super().open(run) if fresh is None else _opened(self.database, fresh)


def _opened(database: Database, claimed: Claimed) -> Opened:
    start = claimed.resume_point
    return Opened(RunJournal(database, claimed, ROUTES), start.snapshot, start.head)


def _kept(session: Session, run_id: UUID) -> KeptRun:
    run = session.get(Run, run_id)
    if run is None:
        return KeptRun()
    mine = select(Checkpoint, Facets).where(Checkpoint.run_id == run_id)
    rows = session.exec(mine.where(Checkpoint.facets_id == Facets.id).order_by(col(Checkpoint.seq)))
    view = run_views.find(session, run_id)
    return KeptRun(
        [_checkpoint(session, row, facets) for row, facets in rows.all()],
        view.status,
        None
        if view.error is None
        else Failure(view.error.type, view.error.message, view.error.step),
        view.stop_event,
        [it.id for it in claims.unread(session, run)],
    )


def _checkpoint(session: Session, row: Checkpoint, facets: Facets) -> KeptCheckpoint:
    unpacker = Unpacker(session, (row.delta, row.input_event, row.output_event))
    taken, given = map(unpacker.event_or_none, (row.input_event, row.output_event))
    types = tuple(None if it is None else it.type for it in (taken, given))
    assert types == (facets.input_event_type, facets.output_event_type)
    return KeptCheckpoint(
        row.id,
        row.seq,
        row.parent_id,
        facets.last_completed_step,
        taken,
        given,
        unpacker.delta(row.delta),
        snapshots.at(session, row.run_id, row.seq),
    )
