"""A delivery under way: what its step has done so far, and will be one fact when it completes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from immutables import Map

from app.engine.buffers import LiveBuffers
from app.engine.context import Context
from app.engine.errors import WorkflowRuntimeError
from app.engine.events import Event
from app.engine.facts import Completed, Sent, Waiting
from app.engine.marks import Json
from app.engine.retry import RetryInfo
from app.engine.serialization import SealedEvent
from app.engine.snapshot import Buffered, Delivery, Wait
from app.engine.state import LiveState, StateView
from app.engine.threads import in_thread

if TYPE_CHECKING:
    from app.engine.graph import Graph
    from app.engine.runner import Runner
    from app.engine.workflow import Workflow


class Flight:
    """One try at a delivery, from its start until it completes, fails or is interrupted."""

    def __init__(
        self,
        delivery: Delivery,
        runner: Runner,
        graph: Graph,
        live: LiveState,
        buffers: LiveBuffers,
        retry: RetryInfo,
    ) -> None:
        self.delivery = delivery
        self.retry = retry
        self.is_over = False
        self.settled = asyncio.Event()  # all that it has reported is committed
        self.settled.set()
        self.works = False  # has a worker: neither queued nor waiting
        self.task: asyncio.Task[None] | None = None
        self._runner = runner
        self._graph = graph
        self._live = live
        self._buffers = buffers
        self._view: StateView | None = None
        self._collects = 0
        self._sent: list[Sent] = []
        self._waits: dict[str, int] = {}
        self._to_skip = delivery.sent  # these went out when an earlier try began to wait

    async def execute(self, workflow: Workflow) -> Completed:
        """Execute the step: what it has done when it returns."""
        step = self._graph.steps[self.delivery.step]
        event = self._graph.serializer.open(self.delivery.event)
        arguments: dict[str, Any] = {step.event_parameter: event}
        if step.context_parameter is not None:
            arguments[step.context_parameter] = Context._within(self, self._graph)
        method = getattr(workflow, step.name)
        if step.is_async:
            return self._complete(await method(**arguments))
        return self._complete(await in_thread(method, arguments))

    @property
    def state(self) -> StateView:
        """The state as this step sees it."""
        if self._view is None:
            self._view = StateView(self.delivery.id, self._live, self._graph.serializer)
        return self._view

    def send(self, event: Event, step: str | None) -> None:
        """Take the event as it is; it goes out later."""
        _check_event(event, f"step {self.delivery.step!r} sent")
        sent = Sent(self._graph.serializer.seal(event), step)
        if step is not None:
            self._graph.check_step(step, sent.event.type)
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._sent.append(sent)

    def collect(
        self, event: Event, expected: Sequence[type[Event]], buffer: str
    ) -> list[Event] | None:
        """Put the event by, and take what was expected if it is all there."""
        serializer = self._graph.serializer
        sealed = serializer.seal(event)
        entry = Buffered(self.delivery.id, self.delivery.step, buffer, self._collects, sealed)
        self._collects += 1
        found = self._runner.on_loop(partial(self._buffers.collect, entry, expected))
        return None if found is None else [serializer.open(item) for item in found]

    async def wait(
        self,
        kind: type[Event],
        question: Event | None,
        waiter: str | None,
        requirements: Mapping[str, Any],
        timeout: float | None,
    ) -> Event:
        """Wait for an event that fits; begun once, however often the step is started."""
        serializer = self._graph.serializer
        wanted: dict[str, Json] = {
            name: serializer.encode(value, f"requirements[{name!r}]")
            for name, value in requirements.items()
        }
        waiter = self._number(waiter or f"{kind.__name__} {wanted or ''}".strip())
        asked = None if question is None else serializer.seal(question)
        wait = Wait(self.delivery.id, waiter, kind.__name__, wanted, timeout, asked)
        if wait.key not in self._runner.snapshot.waits:
            sent, self._sent = tuple(self._sent), []
            self._runner.begin_wait(self, Waiting(wait, sent, *self._buffers.news()))
        answer = await self._runner.answer(self, wait)
        return serializer.open(answer)

    def show(self, event: Event) -> None:
        """Show the event to whoever watches the run."""
        _check_event(event, f"step {self.delivery.step!r} wrote to the stream")
        try:
            shown = event.model_copy(deep=True)  # as it is now, whatever becomes of it
        except Exception:  # what cannot be copied cannot be stored either, and that error is clear
            shown = self._graph.serializer.open(self._graph.serializer.seal(event))
        self._runner.on_loop(partial(self._runner.show, shown))

    def commit(self, completed: Completed, committed: Map[str, Json]) -> None:
        """The fact is kept: what was the step's alone is now the run's."""
        self._live.commit(self.delivery.id, completed.changes or {}, committed)

    def abandon(self) -> None:
        """The try has failed: nothing of it is kept."""
        if self._view is not None:
            self._view.abandon()

    def _complete(self, output: object) -> Completed:
        """The step has returned: all that it did, as one fact."""
        sealed: SealedEvent | None = None
        sent = self._sent
        if output is not None:
            _check_event(output, f"step {self.delivery.step!r} returned")
            assert isinstance(output, Event)
            sealed = self._graph.serializer.seal(output)
            sent.append(Sent(sealed))
        changes = None if self._view is None else self._view.changes()
        self._buffers.complete(self.delivery.id)
        return Completed(self.delivery.id, tuple(sent), sealed, changes, *self._buffers.news())

    def _number(self, waiter: str) -> str:
        """A step that waits twice for the same waits for two events: the second wait is another."""
        count = self._waits[waiter] = self._waits.get(waiter, 0) + 1
        return waiter if count == 1 else f"{waiter} #{count}"


def _check_event(event: object, what: str) -> None:
    if not isinstance(event, Event):
        raise WorkflowRuntimeError(
            f"{what[0].upper()}{what[1:]} a {type(event).__name__}, which is no Event."
        )
