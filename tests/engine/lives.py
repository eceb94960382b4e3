"""Lives of a plan's run: run whole, rerun from a checkpoint, or taken up after a crash."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
import pytest
from uuid_utils.compat import uuid7

from cairn import Checkpoint, Context, Event, Handler
from cairn.engine.core.delta_json import from_json, to_json
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.records import ENDED, Failure, Head, Record, Status
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.library.held_context import held
from cairn.engine.library.rerun import InFlight
from cairn.engine.runtime.journal import HeadMoved
from cairn.engine.runtime.runner import Runner
from tests.engine.expected import Expected, in_order
from tests.engine.pieces import Answer, Broken, Execution, Go, recorded
from tests.engine.planned import Planned
from tests.engine.plans import Plan

Told = tuple[float, int]
"""When an answer from outside comes, in seconds, and for which piece."""


@dataclass(frozen=True)
class Life:
    """A run that has ended, or one's part after a checkpoint or a crash."""

    workflow: Planned
    records: Sequence[Record]
    ctx: Context | None = None

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """What it can be rerun from, and the last one."""
        assert self.ctx is not None, "it was carried by a service"
        return self.ctx.checkpoints

    @property
    def result(self) -> Any:
        """What the StopEvent brought."""
        stopped = self.records[-1].snapshot.stopped
        assert stopped is not None, "it has not ended"
        return self.workflow.graph.serializer.open(stopped).get("result")

    @property
    def state(self) -> dict[str, Any]:
        """What it has left."""
        decode = self.workflow.graph.serializer.decode
        state = self.records[-1].snapshot.state
        return in_order({key: decode(value) for key, value in state.items()})


def completed(records: Sequence[Record]) -> Counter[Execution]:
    """The executions that have left these checkpoints."""
    return Counter(each for each in map(recorded, records) if each is not None)


def check(expected: Expected, life: Life, before: Sequence[Record], where: str) -> None:
    """It came to what the plan comes to, and each step was executed as often as it was pending."""
    check_outcome(expected, life, before, where)
    workflow = life.workflow
    assert completed(life.records) == workflow.ended, where
    assert workflow.started == expected.started(workflow.ended), where


def check_outcome(expected: Expected, life: Life, before: Sequence[Record], where: str) -> None:
    """Check that the life came to the outcome of the plan.

    Steps with known results may have been left out; each step has completed as often as it was
    pending.
    """
    assert life.result == expected.result, where
    assert life.state == expected.state, where
    assert completed(before) + completed(life.records) == expected.ended, where


def answers(plan: Plan) -> list[Told]:
    """The answers from outside: those at 0 come before the run begins."""
    told: list[Told] = []
    for n, ask, times in plan.asked:
        if ask.answered in ("early", "late"):
            told += [(0.0 if ask.answered == "early" else ask.ticks + 1.0, n)] * times
    return sorted(told)


def unread(plan: Plan, records: Sequence[Record], pace: int) -> list[Told]:
    """The answers that the run has not received in these checkpoints.

    At some paces all come at once, at others one by one.
    """
    heard = Counter(
        r.output_event.data["n"]
        for r in records
        if r.output_event is not None and r.output_event.type == "Answer" and r.input_event is None
    )
    left: list[Told] = []
    for when, n in answers(plan):
        if heard[n]:
            heard[n] -= 1
        else:
            left.append((0.0 if pace % 2 else when + pace % 3, n))
    return sorted(left)


async def run(plan: Plan) -> Life:
    """Run it whole, at the pace of the plan."""
    workflow = Planned(plan)
    return await _accompanied(workflow, workflow.run(), answers(plan))


async def rerun(
    plan: Plan,
    checkpoint: Checkpoint,
    before: Sequence[Record],
    pace: int,
    in_flight: InFlight = "rerun",
    output_event: Event | None = None,
) -> Life:
    """Rerun it from the checkpoint, at another pace."""
    workflow = Planned(plan, pace)
    handler = workflow.run_from(checkpoint, in_flight=in_flight, output_event=output_event)
    return await _accompanied(workflow, handler, unread(plan, before, pace))


async def failed(plan: Plan, piece: int) -> Life:
    """A run until the step that works on the piece fails, and all of it with it."""
    workflow = Planned(plan, breaks=piece)
    handler = workflow.run()
    with pytest.raises(Broken):
        await _accompanied(workflow, handler, answers(plan))
    return Life(workflow, held(handler.ctx).runs.journal.records, handler.ctx)


async def _accompanied(workflow: Planned, handler: Handler, told: list[Told]) -> Life:
    for when, n in told:
        if not when:
            handler.send_event(Answer(n=n))
    teller = asyncio.create_task(_tell(handler, [each for each in told if each[0]]))
    try:
        await handler
    finally:
        teller.cancel()
    return Life(workflow, held(handler.ctx).runs.journal.records, handler.ctx)


async def _tell(handler: Handler, told: list[Told]) -> None:
    now = 0.0
    for when, n in told:
        await asyncio.sleep(when - now)
        now = when
        if handler.is_done():
            return
        handler.send_event(Answer(n=n))


class Disk:
    """A journal that outlives its process, and lets nobody write what is already written."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)

    def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> asyncio.Future[None]:
        """As `Journal.append`: done at once, or after a while.

        The records are written at once, or at the last moment unless cancelled before.
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
        """Where the run stands, put together from what each fact has changed, as a store does."""
        snapshot, head = Snapshot(), Head()
        for record in self.records:
            snapshot = snapshot.after(from_json(orjson.loads(orjson.dumps(to_json(record.delta)))))
            head = Head(record.id, record.seq)
        return snapshot, head


class Service:
    """A process that carries one run, as the executor's worker does.

    The process takes the run up at its head, delivers unread messages, and lets go of the run
    whenever there is nothing to do but wait.
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
        """Until the run ends."""
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
    """What another process makes of a run of which these checkpoints were written."""
    disk = Disk(records)
    service = Service(plan, pace, disk)
    await service.carry()
    return Life(service.workflow, disk.records[len(records) :])


async def killed(plan: Plan, records: Sequence[Record], pace: int, after: int) -> list[Record]:
    """The records on disk of a run taken up from these checkpoints, and killed.

    The kill comes after `after // 2` seconds and `after` turns of the loop. A run that has ended by
    then adds nothing.
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
