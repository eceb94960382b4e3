"""RunTask: carries one run to its end, in a task of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import Any, Protocol
from uuid import UUID

from cairn.engine.core.facts import Fact, Received
from cairn.engine.core.records import Head
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import WorkflowCancelledByUser
from cairn.engine.language.events import Event, StopEvent, WorkflowCancelledEvent
from cairn.engine.library.context_runs import ContextRuns
from cairn.engine.library.last_event import last_event
from cairn.engine.library.rerun import recorded
from cairn.engine.library.stream import Stream
from cairn.engine.runtime.program import Program
from cairn.engine.runtime.publisher import Publisher, StepChange
from cairn.engine.runtime.runner import Runner


class Runnable(Program, Protocol):
    """A workflow, reduced to the needs of runs outside of a service."""

    @property
    def verbose(self) -> bool:
        """True if the begin and the end of each step are printed."""

    def place(self) -> AbstractAsyncContextManager[object]:
        """Return the bound on runs at once, which each run enters before its first step."""


class RunTask:
    """One run outside of a service, from its call to its end.

    Attributes:
        task: returns the run's StopEvent, or raises the exception that ended the run.
        start_snapshot: the snapshot to begin with; `None` begins with the context's state.
        stream: the events that the run has shown.
        runner: the runner of the run; `None` before the run has begun.
        begun: set once the run has begun, or has ended before.
        was_cancelled: true once the run has ended because of `cancel`.
    """

    def __init__(
        self,
        workflow: Runnable,
        runs: ContextRuns[Any],
        run: UUID,
        snapshot: Snapshot | None,
        head: Head,
        facts: Sequence[Fact],
        is_stepwise: bool,
    ) -> None:
        """Prepare a run; `start` begins the run.

        Args:
            workflow: the workflow.
            runs: the runs in the context; the run leaves its state there.
            run: the run's id.
            snapshot: the snapshot to begin with; `None` begins with the context's state.
            head: the checkpoint of the snapshot.
            facts: the facts to record before the first step.
            is_stepwise: whether each step waits for `Runner.release`.
        """
        self.task: asyncio.Task[StopEvent]
        self.stream: Stream[Event | StepChange] = Stream()
        self.runner: Runner | None = None
        self.begun = asyncio.Event()
        self.was_cancelled = False
        self._workflow = workflow
        self._runs = runs
        self._run = run
        self.start_snapshot = snapshot
        self._head = head
        self._facts = facts
        self._is_stepwise = is_stepwise
        self._early_events: list[Received] = []
        self._cancelled = asyncio.Event()

    def start(self, before: Sequence[asyncio.Task[StopEvent]], ended: Callable[[], None]) -> None:
        """Carry the run to its end in a task.

        Args:
            before: the tasks of runs that must end first.
            ended: called once the run has ended, twice for most runs: before and after the end of
                the task. A task that is cancelled before its first turn makes the second call only.
        """
        self.task = asyncio.create_task(self._drive(before, ended))
        self.task.add_done_callback(lambda _: ended())

    @property
    def snapshot(self) -> Snapshot | None:
        """The run's snapshot; before the begin, the snapshot to begin with, or `None`."""
        return self.start_snapshot if self.runner is None else self.runner.snapshot

    def tell(self, received: Received) -> None:
        """Give the run an event from outside; before the begin, the event is kept until then."""
        if self.runner is None:
            self._early_events.append(received)
        else:
            self.runner.tell(received)

    def cancel(self) -> None:
        """End the run, without waiting for the end."""
        self._cancelled.set()
        if self.runner is not None:
            self.runner.cancel()

    async def _drive(
        self, before: Sequence[asyncio.Task[StopEvent]], ended: Callable[[], None]
    ) -> StopEvent:
        try:
            if before:
                await self._unless_cancelled(asyncio.wait(before))
            async with AsyncExitStack() as stack:
                place = self._workflow.place()
                await self._unless_cancelled(stack.enter_async_context(place))
                return await self._run_to_end()
        except WorkflowCancelledByUser:
            end = None if self.runner is None else self.runner.end
            self.was_cancelled = end is None or end.status == "cancelled"
            if self.was_cancelled:  # else a step has awaited another run, which was cancelled
                self.stream.put(WorkflowCancelledEvent())
            raise
        finally:
            ended()
            self.begun.set()
            self.stream.close()

    async def _unless_cancelled(self, wait: Coroutine[Any, Any, object]) -> None:
        """Wait before the run begins.

        Raises:
            WorkflowCancelledByUser: `cancel` was called meanwhile.
        """
        waiting = asyncio.ensure_future(wait)
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait([waiting, cancelled], return_when=asyncio.FIRST_COMPLETED)
        finally:
            cancelled.cancel()
            waiting.cancel()
        if not waiting.done():
            raise WorkflowCancelledByUser("The run was cancelled before it began.")

    async def _run_to_end(self) -> StopEvent:
        """Record the first facts, drive the run, and leave its state in the context."""
        graph, journal = self._workflow.graph, self._runs.journal
        snapshot, head = self.start_snapshot or Snapshot(state=self._runs.state), self._head
        records = recorded(graph, self._run, head, snapshot, self._facts)
        if records:
            journal.append(records, "running")
            snapshot, head = records[-1].snapshot, Head(records[-1].id, records[-1].seq)
        show = self.stream.put
        publisher = Publisher(graph, show, show, self._workflow.verbose)
        runner = Runner(self._workflow, journal, self._run, snapshot, head, publisher)
        if self._is_stepwise:
            runner.held = {}
        for record in records:
            publisher.publish(record.fact)
        for received in self._early_events:
            runner.tell(received)
        if self._cancelled.is_set():
            runner.cancel()
        self.runner = runner
        self.begun.set()
        try:
            if snapshot.stopped is None:
                await runner.drive(stay=True)
        finally:
            self._runs.state = runner.snapshot.state
        if runner.end is not None:
            with suppress(Exception):  # an error that cannot be shown is still raised
                event = last_event(runner.end, runner.snapshot, self._workflow.timeout)
                if event is not None:
                    show(event)
            raise runner.end.error
        assert runner.snapshot.stopped is not None
        stop = graph.serializer.open(runner.snapshot.stopped)
        assert isinstance(stop, StopEvent)
        return stop
