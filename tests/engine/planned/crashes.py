"""Lives of a plan's run through crashes: killed in one process, taken up by another."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from cairn import Event
from cairn.engine.core.delta_json import from_json, to_json
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.records import ENDED, Failure, Head, Record, Status
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.runtime.journal import HeadMoved
from cairn.engine.runtime.runner import Runner
from tests.engine.planned.events import Answer, Go
from tests.engine.planned.lives import Life, Told, unread
from tests.engine.planned.plan import Plan
from tests.engine.planned.workflow import Planned


class Disk:
    """A journal that outlives its process, and refuses a record that does not follow the last."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)

    @property
    def commits_at_once(self) -> bool:
        """False: a disk takes its time."""
        return False

    def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> asyncio.Future[None]:
        """As `Journal.append`, in one of three ways, by the number of records before the commit.

        The commit is written and done in the next turn of the loop; or written at once and done
        1.5 s later; or written and done 1.5 s later. A commit that is cancelled before the write
        writes nothing.
        """
        assert failure is None, failure
        commit: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        number = len(self.records)
        if number % 3 == 1:
            self._write(records, commit)

        def done() -> None:
            if not commit.done():
                if number % 3 != 1:
                    self._write(records, commit)
                if not commit.done():
                    commit.set_result(None)

        asyncio.get_running_loop().call_later(0 if number % 3 == 0 else 1.5, done)
        return commit

    def _write(self, records: Sequence[Record], commit: asyncio.Future[None]) -> None:
        for record in records:
            last = self.records[-1] if self.records else None
            head = Head() if last is None else Head(last.id, last.seq)
            if (record.parent, record.seq) != (head.checkpoint, head.seq + 1):
                commit.set_exception(HeadMoved(f"{record.seq} does not follow {head.seq}."))
                return
            self.records.append(record)

    def stands(self) -> tuple[Snapshot, Head]:
        """The snapshot and the head, made of the records' deltas, as a store makes them."""
        snapshot, head = Snapshot(), Head()
        for record in self.records:
            snapshot = snapshot.after(from_json(orjson.loads(orjson.dumps(to_json(record.delta)))))
            head = Head(record.id, record.seq)
        return snapshot, head


class Service:
    """A process that carries one run, as the executor's worker does.

    The service takes the run up from its head, tells the run every unread message, and lets go of
    the run whenever its steps have nothing to do but wait.
    """

    def __init__(self, plan: Plan, pace: int, disk: Disk) -> None:
        self.workflow = Planned(plan, pace)
        self._plan = plan
        self._pace = pace
        self._disk = disk
        self._run = disk.records[0].run if disk.records else uuid7()
        self._inbox: dict[UUID, Received] = {}
        self._runner: Runner | None = None
        self._came = asyncio.Event()

    async def carry(self) -> None:
        """Carry the run until its end."""
        if not self._disk.records:
            self._accept(Go())
        told = unread(self._plan, self._disk.records, self._pace)
        for when, n in told:
            if not when:
                self._accept(Answer(n=n))
        teller = asyncio.create_task(self._tell([each for each in told if each[0]]))
        try:
            while await self._once() not in ENDED:
                await self._came.wait()
        finally:
            teller.cancel()

    async def _once(self) -> Status:
        self._came.clear()
        snapshot, head = self._disk.stands()
        self._runner = Runner(self.workflow, self._disk, self._run, snapshot, head)
        heard = {record.message for record in self._disk.records}
        for id_, received in self._inbox.items():
            if id_ not in heard:
                self._runner.tell(received, id_)
        try:
            return await self._runner.drive(stay=False)
        finally:
            self._runner = None

    async def _tell(self, told: list[Told]) -> None:
        now = 0.0
        for when, n in told:
            await asyncio.sleep(when - now)
            now = when
            self._accept(Answer(n=n))

    def _accept(self, event: Event) -> None:
        id_, received = uuid7(), Received(Sent(self.workflow.graph.serializer.seal(event)))
        self._inbox[id_] = received
        self._came.set()
        if self._runner is not None:
            self._runner.tell(received, id_)


async def taken_up(plan: Plan, records: Sequence[Record], pace: int) -> Life:
    """Take up a run of which these records were written, in a process of its own."""
    disk = Disk(records)
    service = Service(plan, pace, disk)
    await service.carry()
    return Life(service.workflow, disk.records[len(records) :])


async def killed(plan: Plan, records: Sequence[Record], pace: int, after: int) -> list[Record]:
    """Take up a run from these records, kill its process, and return the records on disk.

    The process is killed after half of `after` in seconds, and then `after` turns of the loop. A
    run that has ended by then leaves the records that were given.
    """
    disk = Disk(records)
    process = asyncio.create_task(Service(plan, pace, disk).carry())
    await asyncio.wait([process], timeout=after // 2)
    for _ in range(after):
        await asyncio.sleep(0)
    process.cancel()
    await asyncio.wait([process])
    has_ended = disk.records and disk.records[-1].snapshot.stopped is not None
    return list(records) if has_ended else disk.records
