"""Handler: what `run` gives back, to await the result and to watch and steer the run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from app.engine.context import Context
from app.engine.errors import WorkflowCancelledByUser, WorkflowRuntimeError
from app.engine.events import Event, StopEvent
from app.engine.facts import Received, Sent
from app.engine.journal import Head
from app.engine.runner import Runner
from app.engine.snapshot import Snapshot

if TYPE_CHECKING:
    from app.engine.workflow import Workflow


class Handler:
    """A run under way. `await` it for what the StopEvent brought.

    Awaiting raises the exception of the step that failed, `WorkflowTimeoutError` or
    `WorkflowCancelledByUser`. Cancelling whoever awaits does not end the run; `cancel_run` does.

    Attributes:
        run_id: what tells the run from every other.
        ctx: the context it runs in.
    """

    def __init__(
        self,
        workflow: Workflow,
        ctx: Context,
        run: UUID,
        snapshot: Snapshot | None,
        head: Head,
        first: Received | None,
    ) -> None:
        self.run_id = str(run)
        self.ctx = ctx
        self._workflow = workflow
        self._run = run
        self._snapshot = snapshot
        self._head = head
        self._stream: asyncio.Queue[Event | None] = asyncio.Queue()
        self._runner: Runner | None = None
        self._untold: list[Received] = [] if first is None else [first]
        self._cancelled = asyncio.Event()
        # A rerun begins with its checkpoint's state: it has nobody to wait for.
        before: list[asyncio.Task[Any]]
        before = [] if snapshot is not None else [handler._task for handler in ctx._under_way]
        self._task: asyncio.Task[Any] = asyncio.create_task(self._drive(before))
        ctx._under_way.append(self)
        self._task.add_done_callback(lambda _: ctx._under_way.remove(self))

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.shield(self._task).__await__()

    def is_done(self) -> bool:
        """Whether the run has ended."""
        return self._task.done()

    def exception(self) -> BaseException | None:
        """Why the run ended, unless it completed.

        Raises:
            asyncio.InvalidStateError: it has not ended.
        """
        return self._task.exception()

    async def stream_events(self) -> AsyncIterator[Event]:
        """What the run shows, as it comes; the StopEvent is the last."""
        while (event := await self._stream.get()) is not None:
            yield event
        self._stream.put_nowait(None)  # for whoever asks again

    def send_event(self, message: Event, step: str | None = None) -> None:
        """Say something to the run: an answer it waits for, or an event for its steps.

        Raises:
            WorkflowRuntimeError: the run has ended, or the step named does not take this event.
            SerializationError: a field cannot be stored; the message names it.
        """
        if self.is_done():
            raise WorkflowRuntimeError("The run has ended: nobody is there to take the event.")
        sealed = self._workflow.graph.serializer.seal(message)
        if step is not None:
            self._workflow.graph.check_step(step, sealed.type)
        received = Received(Sent(sealed, step))
        if self._runner is None:
            self._untold.append(received)
        else:
            self._runner.tell(received)

    async def cancel_run(self) -> None:
        """End the run, and wait until it has ended. What was under way stays pending."""
        self._cancelled.set()
        if self._runner is not None:
            self._runner.cancel()
        await asyncio.wait([self._task])
        if not self._task.cancelled():
            self._task.exception()  # asked for, so that nobody complains that nobody did

    async def _drive(self, before: Sequence[asyncio.Task[Any]]) -> Any:
        try:
            await self._turn(before)
            return await self._carry()
        finally:
            self._stream.put_nowait(None)

    async def _turn(self, before: Sequence[asyncio.Task[Any]]) -> None:
        """Wait for the runs before this one, or to be cancelled."""
        if before:
            cancelled = asyncio.create_task(self._cancelled.wait())
            for task in before:
                await asyncio.wait([task, cancelled], return_when=asyncio.FIRST_COMPLETED)
            cancelled.cancel()
        if self._cancelled.is_set():
            raise WorkflowCancelledByUser("The run was cancelled before it began.")

    async def _carry(self) -> Any:
        snapshot = self._snapshot or Snapshot(state=self.ctx._state)
        runner = self._runner = Runner(
            self._workflow, self.ctx._journal, self._run, snapshot, self._head, self.show
        )
        for received in self._untold:
            runner.tell(received)
        try:
            await runner.drive(stay=True)
        finally:
            self.ctx._state = runner.snapshot.state
        if runner.error is not None:
            raise runner.error
        assert runner.snapshot.stopped is not None
        stop = self._workflow.graph.serializer.open(runner.snapshot.stopped)
        assert isinstance(stop, StopEvent)
        return stop.outcome

    def show(self, event: Event) -> None:
        """Put an event into the stream."""
        self._stream.put_nowait(event)
