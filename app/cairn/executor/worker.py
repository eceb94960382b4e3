"""Worker: drives the runs of this process."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from uuid import UUID

import structlog

from cairn.engine import Workflow
from cairn.engine.core.records import ENDED
from cairn.engine.runtime.limits import Limits
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import Unavailable
from cairn.executor.driven_run import DrivenRun, Shared
from cairn.executor.notifier import Notifier
from cairn.executor.slots import RunSlots
from cairn.store import runs
from cairn.store.annotations import Annotation
from cairn.store.database import Database
from cairn.store.requests import Repeatable
from cairn.store.run_views import RunView
from cairn.store.runs import Claimed, InboxMessage

log = structlog.get_logger(__name__)


class Worker:
    """The runs that this process drives, each once.

    `start` accepts a new run. `wake` drives any other run from its head: a rerun, a run with a new
    message, or a run that a dead process has left. There is no other way to begin, to continue or
    to recover a run.

    Attributes:
        workflows: the workflows by name.
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
        self._slots = RunSlots(max_active_runs, workflows)
        self._shared = Shared(
            database, workflows, notifier, self._slots, max_recoveries, limits, self.wake
        )
        self._runs: dict[UUID, DrivenRun] = {}
        self._is_draining = False

    async def start(
        self,
        workflow: str,
        event: SealedEvent,
        context_id: UUID | None,
        may_wait: bool,
        request: Repeatable | None,
    ) -> UUID:
        """Accept a run, and drive the run in the background.

        The run is stored `queued`, then claimed. A run with a new context and without an
        idempotency key depends on no stored row. If a slot is free, such a run is driven at once,
        and is stored with its first fact: one transaction instead of three, seven times as fast.

        Args:
            workflow: the name of the run's workflow.
            event: the start event.
            context_id: the context of the run; `None` makes one.
            may_wait: whether the run may wait for other runs of the context.
            request: the request, if it has an idempotency key.

        Returns:
            The run's id, once the run is stored.

        Raises:
            NotFound: there is no such context.
            Conflict: the context was made for a different workflow; or a run of the context is
                under way, and this one may not wait; or the key was used for a different request.
            Unavailable: the run could not be stored.
        """
        if context_id is None and request is None:
            run = self._begin(workflow, event)
            if run is not None:
                await run.stored()
                return run.id
        run_id = await self._database.write(
            runs.start, workflow, event, context_id, may_wait, request
        )
        self.wake(run_id, workflow)
        return run_id

    def _begin(self, workflow: str, event: SealedEvent) -> DrivenRun | None:
        """Drive a new run before it is stored; `None` if no slot is free, or while stopping."""
        worker = self._database.worker
        if self._is_draining or worker is None:
            return None
        slot = self._slots.take_free(workflow)
        if slot is None:
            return None
        claimed = runs.fresh(workflow, event, worker)
        return self._take_up(DrivenRun(self._shared, claimed.run.id, workflow, claimed, slot))

    def wake(self, run_id: UUID, workflow: str, claimed: Claimed | None = None) -> None:
        """Drive a run from its head; a run under way is claimed again after the present drive.

        A worker that stops drives no run any more.

        Args:
            run_id: the run's id.
            workflow: the name of the run's workflow.
            claimed: the claim of the run, if there is one already.
        """
        if self._is_draining:
            return  # a later start of this process, or a different one, takes the run up
        run = self._runs.get(run_id)
        if run is None:
            self._take_up(DrivenRun(self._shared, run_id, workflow, claimed))
        else:
            run.wake()

    def _take_up(self, run: DrivenRun) -> DrivenRun:
        self._runs[run.id] = run
        run.start(partial(self._drop, run))
        return run

    def _drop(self, run: DrivenRun) -> None:
        if self._runs.get(run.id) is run:
            del self._runs[run.id]

    def tell(self, run_id: UUID, workflow: str, messages: Sequence[InboxMessage]) -> None:
        """Give committed messages to a run, and drive the run."""
        run = self._runs.get(run_id)
        if run is not None:
            run.tell(messages)
        self.wake(run_id, workflow)

    def annotate(self, run_id: UUID, annotation: Annotation) -> None:
        """Take note of a run's annotation, if the run is driven here."""
        run = self._runs.get(run_id)
        if run is not None:
            run.annotation = annotation

    async def cancel(self, run_id: UUID) -> None:
        """End a run; the process that drives the run ends the run there.

        A run that has ended stays as it is.

        Raises:
            NotFound: there is no such run.
            Unavailable: the end could not be stored. The run goes on.
        """
        run = self._runs.get(run_id)
        if run is not None:
            await run.cancel()
        try:
            status = await self._database.write(runs.cancel, run_id)
        except Unavailable:
            if run is not None:
                run.undo_cancel()
                self.wake(run_id, run.workflow)
            raise
        if status in ENDED:
            self._notifier.notify(run_id)

    # Runs under way

    def drives(self, run_id: UUID) -> bool:
        """True if the run is under way here, or about to be."""
        return run_id in self._runs

    def view(self, run_id: UUID) -> RunView | None:
        """The present view of the run; `None` if only the database has one (`DrivenRun.view`)."""
        run = self._runs.get(run_id)
        return None if run is None else run.view()

    def unread(self, run_id: UUID, messages: Sequence[UUID]) -> list[UUID]:
        """The ids, of these, of messages that the run has not got; empty if not driven here."""
        run = self._runs.get(run_id)
        return [] if run is None else run.unread(messages)

    def who_is(self, task: "asyncio.Task[object]") -> dict[str, str]:
        """The run, the workflow and the step that a task executes; empty if there is none."""
        for run in list(self._runs.values()):
            step = run.step_of(task)
            if step is not None:
                return {"run": str(run.id), "workflow": run.workflow, "step": step}
        return {}

    # Ending

    def stop(self) -> None:
        """Start no further step and no further run, and wake the clients that wait for a run."""
        self._is_draining = True
        self._notifier.close()
        for run in self._runs.values():
            run.drain()

    async def drain(self, seconds: float) -> None:
        """Stop, and let go of all runs.

        A later start of this process, or a different one, goes on with these runs.

        Args:
            seconds: the time that running steps have to complete.
        """
        self.stop()
        tasks = [run.task for run in self._runs.values()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            log.warning("steps interrupted", runs=len(late))
            await asyncio.wait(late)
