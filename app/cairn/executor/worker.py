"""Worker: drives the runs of this process, each from wherever it stands."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog

from cairn.engine import Workflow
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.records import ENDED, Status
from cairn.engine.runtime.journal import HeadMoved
from cairn.engine.runtime.limits import Limits
from cairn.engine.runtime.runner import Runner
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import NotFound, Unavailable
from cairn.executor.notifier import Notifier
from cairn.executor.slots import Slot, Slots
from cairn.store import claims, run_views, runs
from cairn.store.columns import now
from cairn.store.database import Database
from cairn.store.journal import RunJournal
from cairn.store.run_views import RunView
from cairn.store.runs import Claimed, InboxMessage

log = structlog.get_logger(__name__)

ACCEPTED_SECONDS = 8.0  # that whoever asks for a run waits for it to be stored
KEPT_FREE = 10  # of so many slots, one is not for a workflow that has the others
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0  # seconds, before a run is taken up again after trouble


@dataclass(slots=True)
class _Driven:
    """A run that this worker drives, or is about to."""

    workflow: str
    claimed: Claimed | None = None  # where it need not be claimed first
    accepted: "asyncio.Future[None] | None" = None  # of a run that is not stored yet
    has_slot: bool = False
    journal: RunJournal | None = None
    runner: Runner | None = None
    task: "asyncio.Task[None] | None" = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    again: bool = True  # something has happened since the run was last claimed
    told: set[UUID] = field(default_factory=set)


class Worker:
    """Takes up runs as it is woken for them, and carries each forward until it ends or waits.

    There is no other way to begin, continue or recover a run: `wake` claims it from wherever it
    stands, and a run that is driven already is not taken up twice.
    """

    def __init__(
        self,
        database: Database,
        workflows: Mapping[str, Workflow],
        notifier: Notifier,
        max_active_runs: int,
        max_recoveries: int,
        limits: Limits,
    ) -> None:
        self.workflows = workflows
        self._database = database
        self._notifier = notifier
        self._slots = Slots(max_active_runs)
        self._max_recoveries = max_recoveries
        self._limits = limits
        # No workflow has all the slots: the others must get on, too.
        most = max_active_runs - max_active_runs // KEPT_FREE
        self._of_workflow = {
            name: Slots(min(most, workflow.max_active or most))
            for name, workflow in workflows.items()
        }
        self._driven: dict[UUID, _Driven] = {}
        self._draining = False

    async def begin(self, workflow: str, event: SealedEvent) -> UUID | None:
        """Begin a new run at once, in a context of its own; it is stored together with its first
        fact.

        Returns:
            Its id, once it is stored; `None` if there is no slot for it now.

        Raises:
            Unavailable: it could not be stored.
        """
        worker = self._database.worker
        own = self._of_workflow[workflow]
        if self._draining or worker is None or not self._slots.free or not own.free:
            return None
        self._slots.take_at_once()  # who comes meanwhile must not find it free
        own.take_at_once()
        claimed = runs.fresh(workflow, event, worker)
        loop = asyncio.get_running_loop()
        accepted = loop.create_future()
        self._take_up(claimed.run.id, _Driven(workflow, claimed, accepted, has_slot=True))
        patience = loop.call_later(ACCEPTED_SECONDS, _give_up, accepted)
        try:
            await accepted
        finally:
            patience.cancel()
        return claimed.run.id

    def wake(self, run_id: UUID, workflow: str, claimed: Claimed | None = None) -> None:
        """Something has happened to the run: it was accepted, or nobody drives it. Where it is
        claimed already, it need not be once more."""
        if self._draining:
            return  # it is taken up at the next start, or by another process
        driven = self._driven.get(run_id)
        if driven is None:
            self._take_up(run_id, _Driven(workflow, claimed))
        else:
            driven.again = True

    def _take_up(self, run_id: UUID, driven: _Driven) -> None:
        self._driven[run_id] = driven
        driven.task = asyncio.create_task(self._drive(run_id, driven))
        driven.task.add_done_callback(lambda _: self._drop(run_id, driven))

    def tell(self, run_id: UUID, workflow: str, said: Sequence[InboxMessage]) -> None:
        """Something was said to the run, and is committed."""
        driven = self._driven.get(run_id)
        if driven is not None and driven.runner is not None:
            _tell(driven.runner, driven, said)
        self.wake(run_id, workflow)

    def untold(self, run_id: UUID, messages: Sequence[UUID]) -> list[UUID]:
        """Which of the messages the run has yet to be told of, if it is under way here."""
        driven = self._driven.get(run_id)
        if driven is None or driven.runner is None:
            return []
        return [message for message in messages if message not in driven.told]

    def drives(self, run_id: UUID) -> bool:
        """Whether the run is under way here, or about to be."""
        return run_id in self._driven

    def seen(self, run_id: UUID) -> RunView | None:
        """How the run stands, if it began here, in this process's life, and nobody has taken it."""
        driven = self._driven.get(run_id)
        if driven is None or driven.cancelled.is_set():
            return None
        claimed, journal = driven.claimed, driven.journal
        if claimed is not None and claimed.worker == self._database.worker:
            return claimed.run if claimed.run.start_event is not None else None
        if journal is not None and journal.worker == self._database.worker:
            return journal.seen
        return None

    def who_is(self, task: "asyncio.Task[object]") -> dict[str, str]:
        """Which step of which run the task executes, if it does."""
        for run_id, driven in list(self._driven.items()):
            step = None if driven.runner is None else driven.runner.step_of(task)
            if driven.runner is not None and step is not None:
                workflow = driven.runner.program.name
                return {"run": str(run_id), "workflow": workflow, "step": step}
        return {}

    async def cancel(self, run_id: UUID) -> None:
        """End the run, wherever it stands; where another process drives it, have it end it.

        Raises:
            NotFound: there is no such run.
        """
        driven = self._driven.get(run_id)
        if driven is not None:
            driven.cancelled.set()
            if driven.runner is not None and driven.task is not None:
                driven.runner.cancel()
                await asyncio.wait([driven.task])
        try:
            status = await self._database.write(runs.cancel, run_id)
        except Unavailable:
            if driven is not None:
                driven.cancelled.clear()
                self.wake(run_id, driven.workflow)
            raise
        if status in ENDED:
            self._notifier.notify(run_id)

    def stop(self) -> None:
        """Start nothing more, in any run; who waits for a run is answered at once."""
        self._draining = True
        self._notifier.close()
        for driven in self._driven.values():
            if driven.runner is not None:
                driven.runner.drain()
            elif driven.task is not None:
                driven.task.cancel()

    async def drain(self, seconds: float) -> None:
        """Stop, give running steps that long to complete, and let go of all runs.

        What is left is taken up at the next start, or by another process.
        """
        self.stop()
        tasks = [driven.task for driven in self._driven.values() if driven.task is not None]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            log.warning("steps interrupted", runs=len(late))
            await asyncio.wait(late)

    async def _drive(self, run_id: UUID, driven: _Driven) -> None:
        delay = FIRST_DELAY
        try:
            new = driven.accepted
            if new is not None and not await self._accept(run_id, driven, new):
                return
            while driven.again and not self._draining:
                driven.again = False
                try:
                    await self._once(run_id, driven)
                    continue
                except NotFound as refusal:
                    log.warning(str(refusal))
                    continue
                except Exception as error:
                    # Nothing is lost: the run stands at its head. It is not the worker's end.
                    _say(run_id, error)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await driven.cancelled.wait()
                delay = min(delay * 2, LONGEST_DELAY)
                driven.again = True
        finally:
            self._drop(run_id, driven)

    def _drop(self, run_id: UUID, driven: _Driven) -> None:
        """The run is not driven any more; it may never have been, where the service is stopping."""
        if self._driven.get(run_id) is driven:
            del self._driven[run_id]
        if driven.accepted is not None and not driven.accepted.done():
            driven.accepted.set_exception(Unavailable("The service is stopping. Try again soon."))

    async def _accept(
        self, run_id: UUID, driven: _Driven, accepted: "asyncio.Future[None]"
    ) -> bool:
        """Carry a new run forward; whether it was accepted, which its first fact does."""
        driven.again = False
        try:
            await self._once(run_id, driven)
        except Exception as error:
            if not accepted.done():
                accepted.set_exception(_not_accepted(error))
                return False
            _say(run_id, error)
            driven.again = True
        return True

    async def _slot(self, driven: _Driven) -> Slot:
        """A slot for the run, once there is one for its workflow and one for all."""
        slots = (self._of_workflow[driven.workflow], self._slots)
        if not driven.has_slot:
            await slots[0].take()
            try:
                await slots[1].take()
            except asyncio.CancelledError:
                slots[0].give_back()
                raise
        driven.has_slot = False
        return Slot(*slots)

    async def _once(self, run_id: UUID, driven: _Driven) -> None:
        """Claim the run and carry it forward as far as it goes now."""
        slot = await self._slot(driven)
        try:
            claimed, driven.claimed = driven.claimed, None
            if claimed is None:
                loaded = self.workflows.keys()
                claimed = await self._database.write(
                    claims.claim, run_id, loaded, self._max_recoveries
                )
            if driven.cancelled.is_set():
                return  # who cancels it is about to end it
            if claimed is None:
                if await self._database.read(run_views.has_ended, run_id):
                    self._notifier.notify(run_id)
                return
            workflow = self.workflows[claimed.run.workflow]
            standing = claimed.standing.renamed(workflow.graph.renamed)
            if standing is not claimed.standing:
                claimed = replace(claimed, standing=standing)
            report = partial(self._written, driven, slot)
            limits = self._limits.or_of(workflow)
            end = _end(claimed.run, limits)
            routes = workflow.graph.routes
            journal = driven.journal = RunJournal(self._database, claimed, routes, report, end)
            left = None if end is None else (end - now()).total_seconds()
            runner = Runner(
                workflow, journal, run_id, standing.snapshot, standing.head, None, limits, left
            )
            driven.told.clear()
            _tell(runner, driven, claimed.unread)
            driven.runner = runner
            status = await runner.drive(stay=False)
        finally:
            driven.runner = driven.journal = None
            slot.leave()
        if status in ENDED:
            if runner.end is not None:
                log.warning(
                    "run ended",
                    run=str(run_id),
                    workflow=claimed.run.workflow,
                    step=runner.end.step,
                    status=status,
                    exc_info=runner.end.error,
                )
            self._notifier.notify(run_id, journal.seen)
            if journal.following is not None:
                self.wake(journal.following, driven.workflow)

    def _written(self, driven: _Driven, slot: Slot, status: Status) -> None:
        """What the run has come to is committed."""
        slot.follow(status)
        if status == "waiting" and driven.journal is not None:
            self._notifier.notify(driven.journal.run_id, driven.journal.seen)
        if driven.accepted is not None and not driven.accepted.done():
            driven.accepted.set_result(None)


def _end(run: RunView, limits: Limits) -> datetime | None:
    """When the run must have ended, if it must."""
    if limits.seconds is None:
        return None
    return (run.started_at or now()) + timedelta(seconds=limits.seconds)


def _say(run_id: UUID, error: Exception) -> None:
    """Why the run was interrupted; it is taken up again."""
    if isinstance(error, HeadMoved):
        log.info("run let go: somebody else has moved it on", run=str(run_id))
    elif isinstance(error, Unavailable):
        log.error("run interrupted", run=str(run_id), why=str(error))
    else:
        log.error("run interrupted", run=str(run_id), exc_info=error)


def _give_up(accepted: "asyncio.Future[None]") -> None:
    """Let nobody wait for longer; the run may be accepted yet."""
    if not accepted.done():
        accepted.set_exception(
            Unavailable(
                "The database has not answered so far. The run may have been accepted: GET /runs "
                "tells. With an Idempotency-Key it is safe to ask again."
            )
        )


def _not_accepted(error: Exception) -> Exception:
    if isinstance(error, HeadMoved):
        return Unavailable("This process was taken for dead meanwhile. Try again.", 1)
    return error


def _tell(runner: Runner, driven: _Driven, said: Sequence[InboxMessage]) -> None:
    for message in said:
        if message.id not in driven.told:
            driven.told.add(message.id)
            runner.tell(Received(Sent(message.event)), message.id)
