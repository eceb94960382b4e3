"""Handler: awaits, watches and steers one run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Generator
from functools import partial
from typing import Any
from uuid import UUID

from cairn.engine.core.facts import Fact, Received, Sent
from cairn.engine.core.records import Head
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.language.context import Context
from cairn.engine.language.events import Event, InternalDispatchEvent, StopEvent, outcome
from cairn.engine.library.context_runs import ContextRuns
from cairn.engine.library.run_task import Runnable, RunTask
from cairn.engine.library.stepwise import Stepping
from cairn.engine.runtime.live_state import LiveState
from cairn.engine.runtime.publisher import as_event


class Handler:
    """A run under way, or ended; `Workflow.run` returns one.

        handler = workflow.run(topic="math")
        async for event in handler.stream_events():
            print(event)
        result = await handler

    Awaiting returns the `result` of the run's StopEvent; a StopEvent of a subclass is returned
    whole, as in LlamaIndex Workflows. Awaiting raises the exception of the step that failed,
    `WorkflowTimeoutError` or `WorkflowCancelledByUser`. Cancelling the task that awaits does not
    end the run; `cancel_run` does.

    Attributes:
        run_id: the run's id, a UUID as text.
        ctx: the context of the run.
    """

    def __init__(
        self,
        workflow: Runnable,
        ctx: Context[Any],
        runs: ContextRuns[Handler],
        run: UUID,
        snapshot: Snapshot | None,
        head: Head,
        facts: list[Fact],
        stepwise: bool = False,
    ) -> None:
        """Begin a run in a task of the running event loop.

        Args:
            workflow: the workflow.
            ctx: the context of the run.
            runs: the runs in the context.
            run: the run's id.
            snapshot: the snapshot to begin with. `None` begins with the context's state, once all
                runs that are under way there have ended.
            head: the checkpoint of the snapshot.
            facts: the facts to record before the first step, such as the start event.
            stepwise: whether no step starts before `run_step` is called.
        """
        self.run_id = str(run)
        self.ctx = ctx
        self._runs = runs
        self._workflow = workflow
        self._is_streamed = False
        self._stepping = Stepping() if stepwise else None
        self._run = RunTask(workflow, runs, run, snapshot, head, facts, stepwise)
        # A run that begins with a snapshot does not need the state that other runs will leave.
        before = [] if snapshot is not None else [each._run.task for each in runs.under_way]
        self._run.start(before, partial(runs.end, self))
        runs.begin(self)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._outcome().__await__()

    def __str__(self) -> str:
        return f"Handler of run {self.run_id} of {type(self._workflow).__name__}"

    async def _outcome(self) -> Any:
        return outcome(await self.stop_event_result())

    @property
    def snapshot(self) -> Snapshot | None:
        """The run's snapshot; before the begin, the snapshot to begin with, or `None`."""
        return self._run.snapshot

    @property
    def start_snapshot(self) -> Snapshot | None:
        """The snapshot to begin with; `None` for a run that begins with the context's state."""
        return self._run.start_snapshot

    @property
    def live(self) -> LiveState | None:
        """The run's state, with uncommitted writes; `None` before the run has begun."""
        return None if self._run.runner is None else self._run.runner.state

    # Outcome

    def is_done(self) -> bool:
        """True if the run has ended."""
        return self._run.task.done()

    done = is_done

    def result(self) -> Any:
        """Return the result of the run, as awaiting does.

        Raises:
            asyncio.InvalidStateError: the run has not ended.
            Exception: the reason of the end, if the run has not completed.
        """
        return outcome(self._run.task.result())

    def exception(self) -> BaseException | None:
        """Return the exception that ended the run; `None` if the run has completed.

        Raises:
            asyncio.InvalidStateError: the run has not ended.
        """
        return self._run.task.exception()

    def cancelled(self) -> bool:
        """True if the run was cancelled, and has ended."""
        return self.is_done() and self._run.was_cancelled

    def get_stop_event(self) -> StopEvent | None:
        """Return the run's StopEvent; `None` before the end, and if the run has not completed."""
        return self._run.task.result() if self.is_done() and self.exception() is None else None

    async def stop_event_result(self) -> StopEvent:
        """Wait for the run's StopEvent, and return the event whole.

        Raises:
            Exception: the exception that awaiting the handler raises.
        """
        return await asyncio.shield(self._run.task)

    # Watching

    async def stream_events(self, expose_internal: bool = False) -> AsyncIterator[Event]:
        """Iterate over the events that the run shows, until the run ends.

            async for event in handler.stream_events():
                print(event)

        The last event is the run's StopEvent. A run that has not completed ends with a
        `WorkflowFailedEvent`, `WorkflowTimedOutEvent` or `WorkflowCancelledEvent`.
        Each event is yielded once, to one reader.

        Args:
            expose_internal: whether to yield the `InternalDispatchEvent`s, too: the begin and the
                end of each step, events that no step takes, and a run that only waits.

        Raises:
            WorkflowRuntimeError: all events have been read already.
        """
        if self._is_streamed:
            raise WorkflowRuntimeError(
                "The stream of this run has been read to its end, and is not kept. What the run "
                "did is in its checkpoints: handler.ctx.checkpoints."
            )
        async for item in self._run.stream.read():
            event = item if isinstance(item, Event) else as_event(item)
            if expose_internal or not isinstance(event, InternalDispatchEvent):
                yield event
        self._is_streamed = True

    # Steering

    def send_event(self, message: Event, step: str | None = None) -> Awaitable[None]:
        """Send an event to the run: the answer that a step waits for, or an event for steps.

            handler.send_event(HumanResponseEvent(response="yes"))

        The event is queued when the call returns. Awaiting the result has no further effect.

        Args:
            message: the event. An event that the last `run_step` returned is pending already, and
                is not sent again.
            step: the name of the step to start; by default, all steps that take the event.

        Raises:
            WorkflowRuntimeError: the run has ended, or the step does not take the event.
            SerializationError: a field cannot be stored; the message names the field.
        """
        if self.has_given(message):
            return _done()
        if self.is_done():
            raise WorkflowRuntimeError("The run has ended: nobody is there to take the event.")
        graph = self._workflow.graph
        graph.serializer.learn(type(message))
        sealed = graph.serializer.seal(message)
        if step is not None:
            graph.check_step(step, sealed.type)
        received = Received(Sent(sealed, step))
        self._run.tell(received)
        return _done()

    def has_given(self, event: Event) -> bool:
        """True if the last `run_step` returned this object."""
        return self._stepping is not None and self._stepping.has_given(event)

    async def run_step(self) -> list[Event] | None:
        """Execute the pending steps of a run started with `stepwise=True`, and no more.

            handler = workflow.run(stepwise=True)
            while (events := await handler.run_step()) is not None:
                print(events)

        Returns:
            The events that the steps have sent and returned, which are pending now; `None` once the
            run has ended. `ctx.send_event` may be called with these events: the call has no effect
            on an event that is pending.

        Raises:
            WorkflowRuntimeError: the run was not started with `stepwise=True`.
            Exception: the exception that awaiting the handler raises.
        """
        if self._stepping is None:
            raise WorkflowRuntimeError("Start the run with run(stepwise=True) to go step by step.")
        await self._run.begun.wait()
        if self._run.runner is None or self.is_done():
            self._run.task.result()
            return None
        return await self._stepping.step(self._run.runner, self._runs.journal, self._run.task)

    async def running_steps(self) -> list[str]:
        """Return the names of the steps under way, without those that wait for an event."""
        runner = self._run.runner
        return [] if runner is None or self.is_done() else runner.running_steps()

    async def cancel_run(self, *, timeout: float | None = None) -> None:
        """End the run, and wait for the end. Steps under way stay pending.

        Args:
            timeout: the longest wait, in seconds; `None` is without end.
        """
        self.cancel()
        await asyncio.wait([self._run.task], timeout=timeout)
        if self._run.task.done() and not self._run.task.cancelled():
            self._run.task.exception()  # asyncio logs an exception that is never read

    def cancel(self) -> None:
        """End the run, without waiting for the end. Steps under way stay pending."""
        self._run.cancel()

    def show(self, event: Event) -> None:
        """Put an event into the stream."""
        self._run.stream.put(event)


def _done() -> Awaitable[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done
