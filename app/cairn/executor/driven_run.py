"""DrivenRun: one run that this process drives to its end, to a wait, or until the process stops."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from uuid import UUID

import structlog

from cairn.engine import Workflow
from cairn.engine.core.records import ENDED, Status
from cairn.engine.runtime.journal import HeadMoved
from cairn.engine.runtime.limits import Limits
from cairn.errors import NotFound, Unavailable
from cairn.executor.notifier import Notifier
from cairn.executor.slots import RunSlots, Slot
from cairn.executor.under_way import UnderWay, under_way
from cairn.store import claims, run_views
from cairn.store.database import Database
from cairn.store.run_views import RunView
from cairn.store.runs import Claimed, InboxMessage

log = structlog.get_logger(__name__)

ACCEPTED_SECONDS = 8.0
"""The longest time for which a client waits for its new run to be stored."""

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
"""Seconds before a run is claimed again after trouble: doubled each time."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The objects and settings that all the runs of a worker share.

    Attributes:
        database: the database of the runs.
        workflows: the workflows by name.
        notifier: wakes the clients that wait for a run.
        slots: bounds the runs that are carried forward at once.
        max_recoveries: the number of workers that may die with a run.
        limits: the bounds of a run, where its workflow sets none.
        wake: drives a run, given its id and its workflow's name; for the next run of a context.
    """

    database: Database
    workflows: Mapping[str, Workflow]
    notifier: Notifier
    slots: RunSlots
    max_recoveries: int
    limits: Limits
    wake: Callable[[UUID, str], None]


class DrivenRun:
    """One run that this process drives.

    `start` drives the run in a task: take a slot, claim the run, carry the run forward to its end
    or to a wait. A `wake` meanwhile repeats these. An error of the database, or in Cairn, only
    delays the run, which is claimed again at its head.

    Attributes:
        id: the run's id.
        workflow: the name of the run's workflow.
        task: drives the run; there from `start` on.
    """

    def __init__(
        self,
        shared: Shared,
        run_id: UUID,
        workflow: str,
        claimed: Claimed | None = None,
        slot: Slot | None = None,
    ) -> None:
        """Prepare the run; `start` drives the run.

        Args:
            shared: the objects and settings that all the runs of the worker share.
            run_id: the run's id.
            workflow: the name of the run's workflow.
            claimed: the claim of the run, if there is one already. A run that is not stored yet
                is stored with its first fact.
            slot: the slot of the run, if there is one already.
        """
        self.id = run_id
        self.workflow = workflow
        self.task: asyncio.Task[None]
        self._shared = shared
        self._claimed = claimed
        self._slot = slot
        self._under_way: UnderWay | None = None
        self._is_woken = True
        self._is_draining = False
        self._cancelled = asyncio.Event()
        self._stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if claimed is None or claimed.is_stored:
            self._stored.set_result(None)

    def start(self, dropped: Callable[[], None]) -> None:
        """Drive the run in a task of its own.

        Args:
            dropped: called when the run is no longer driven, maybe twice: in the turn of the event
                loop in which the last `wake` can come, and when the task is done. A task that is
                cancelled before its first turn does the second alone.
        """

        def drop(_: object = None) -> None:
            if not self._stored.done():
                self._stored.set_exception(Unavailable("The service is stopping. Try again soon."))
            dropped()

        self.task = asyncio.create_task(self._drive(drop))
        self.task.add_done_callback(drop)

    async def stored(self) -> None:
        """Wait until a new run is stored, with its first fact.

        Raises:
            Unavailable: the run could not be stored, or the database has not answered in time.
        """
        try:
            async with asyncio.timeout(ACCEPTED_SECONDS):
                await self._stored
        except TimeoutError:
            raise Unavailable(
                "The database has not answered so far. The run may have been accepted: GET /runs "
                "tells. With an Idempotency-Key it is safe to ask again."
            ) from None

    # Messages

    def wake(self) -> None:
        """Claim the run once more after the present drive: its row has changed."""
        self._is_woken = True

    def tell(self, messages: Sequence[InboxMessage]) -> None:
        """Give committed messages to the run, each once; a no-op before the claim."""
        if self._under_way is not None:
            self._under_way.tell(messages)

    async def cancel(self) -> None:
        """Stop the run at its head; a step under way stays pending."""
        self._cancelled.set()
        if self._under_way is not None:
            self._under_way.runner.cancel()
            await asyncio.wait([self.task])

    def undo_cancel(self) -> None:
        """Let the run go on: its end could not be stored."""
        self._cancelled.clear()

    def drain(self) -> None:
        """Start no further step, and let go of the run once the steps under way have completed."""
        self._is_draining = True
        if self._under_way is not None:
            self._under_way.runner.drain()
        else:
            self.task.cancel()

    # View

    def unread(self, messages: Sequence[UUID]) -> list[UUID]:
        """The ids, of these, of messages that the run has not got; empty before the claim."""
        if self._under_way is None:
            return []
        return [message for message in messages if message not in self._under_way.delivered]

    def view(self) -> RunView | None:
        """The present view of the run; `None` if only the database has one.

        That is so while the run is not claimed or is being cancelled; while a run that began
        before its claim is not under way yet; and after a claim under a worker's number that this
        process has lost.
        """
        own = self._shared.database.worker
        if self._cancelled.is_set():
            return None
        if self._claimed is not None and self._claimed.worker == own:
            return self._claimed.run if self._claimed.run.start_event is not None else None
        if self._under_way is not None and self._under_way.journal.worker == own:
            return self._under_way.journal.view
        return None

    def step_of(self, task: "asyncio.Task[object]") -> str | None:
        """The name of the step that the task executes; `None` if the task is not the run's."""
        return None if self._under_way is None else self._under_way.runner.step_of(task)

    # Driving

    async def _drive(self, drop: Callable[[], None]) -> None:
        delay = FIRST_DELAY
        try:
            while self._is_woken and not self._is_draining:
                self._is_woken = False
                try:
                    await self._claim_and_carry_forward()
                except NotFound as refusal:
                    log.warning(str(refusal))
                except Exception as error:
                    if not self._stored.done():
                        self._stored.set_exception(_refusal(error))
                        return
                    _report(self.id, error)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(delay):
                            await self._cancelled.wait()
                    delay = min(delay * 2, LONGEST_DELAY)
                    self._is_woken = True
        finally:
            drop()

    async def _claim_and_carry_forward(self) -> None:
        slot, self._slot = self._slot or await self._shared.slots.take(self.workflow), None
        try:
            claimed = await self._claim()
            if claimed is None or self._cancelled.is_set():
                return
            shared, committed = self._shared, partial(self._committed, slot=slot)
            workflow = shared.workflows[claimed.run.workflow]
            run = under_way(shared.database, workflow, claimed, shared.limits, committed)
            self._under_way = run
            run.tell(claimed.unread)
            status = await run.runner.drive(stay=False)
        finally:
            self._under_way = None
            slot.leave()
        if status in ENDED:
            self._end(run, status)

    async def _claim(self) -> Claimed | None:
        """The claim of the run; `None` if the run cannot be carried forward here now."""
        claimed, self._claimed = self._claimed, None
        if claimed is not None:
            return claimed
        database, loaded = self._shared.database, self._shared.workflows.keys()
        claimed = await database.write(claims.claim, self.id, loaded, self._shared.max_recoveries)
        if claimed is None and await database.read(run_views.has_ended, self.id):
            self._shared.notifier.notify(self.id)
        return claimed

    def _committed(self, status: Status, slot: Slot) -> None:
        """Fit the slot to the status after a commit, and wake clients.

        These are the clients of a run that waits, or of one whose checkpoints are followed.
        """
        slot.follow(status)
        notifier = self._shared.notifier
        is_awaited = status == "waiting" or notifier.is_followed(self.id)
        if is_awaited and self._under_way is not None:
            notifier.notify(self.id, self._under_way.journal.view)
        if not self._stored.done():
            self._stored.set_result(None)

    def _end(self, run: UnderWay, status: Status) -> None:
        """Log the end of the run, wake the waiting clients, and drive the context's next run."""
        end, journal = run.runner.end, run.journal
        if end is not None:
            log.warning(
                "run ended",
                run=str(self.id),
                workflow=self.workflow,
                step=end.step,
                status=status,
                exc_info=end.error,
            )
        self._shared.notifier.notify(self.id, journal.view)
        if journal.following is not None:
            self._shared.wake(journal.following, self.workflow)


def _refusal(error: Exception) -> Exception:
    """The error for a client: the new run could not be stored."""
    if isinstance(error, HeadMoved):
        return Unavailable("This process was taken for dead meanwhile. Try again.", 1)
    return error


def _report(run_id: UUID, error: Exception) -> None:
    """Log the reason for which a run is interrupted, and claimed again."""
    if isinstance(error, HeadMoved):
        log.info("run let go: another process has moved it on", run=str(run_id))
    elif isinstance(error, Unavailable):
        log.error("run interrupted", run=str(run_id), why=str(error))
    else:
        log.error("run interrupted", run=str(run_id), exc_info=error)
