"""A delivery under way: what its step has done so far, and will be one fact when it completes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from immutables import Map

from app.engine.buffers import Gathering, LiveBuffers, key_of
from app.engine.errors import WorkflowRuntimeError
from app.engine.events import Event
from app.engine.facts import Completed, Sent, Waiting
from app.engine.marks import Json
from app.engine.serialization import SealedEvent
from app.engine.snapshot import Delivery, Wait
from app.engine.state import LiveState, StateView

if TYPE_CHECKING:
    from app.engine.graph import Graph
    from app.engine.runner import Runner


class Flight:
    """One try at a delivery, from its start until it completes, fails or is interrupted."""

    def __init__(
        self,
        delivery: Delivery,
        runner: Runner,
        graph: Graph,
        live: LiveState,
        buffers: LiveBuffers,
    ) -> None:
        self.delivery = delivery
        self.is_over = False
        self.works = False  # has a worker: neither queued nor waiting
        self.task: asyncio.Task[None] | None = None
        self._runner = runner
        self._graph = graph
        self._live = live
        self._buffers = buffers
        self._view: StateView | None = None
        self._gathering: Gathering | None = None
        self._sent: list[Sent] = []
        self._waits: dict[str, int] = {}
        self._to_skip = delivery.sent  # these went out when an earlier try began to wait

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
        if self._gathering is None:
            self._gathering = Gathering(self.delivery.id, self.delivery.step)
        serializer = self._graph.serializer
        sealed, names = serializer.seal(event), [kind.__name__ for kind in expected]
        found = self._buffers.collect(self._gathering, sealed, names, buffer)
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
        wait = Wait(self.delivery.id, waiter, kind.__name__, wanted, timeout)
        known = self._runner.snapshot.waits.get(wait.key)
        if known is None:
            asked = None if question is None else serializer.seal(question)
            if question is not None:
                self.show(question)
            sent, self._sent = tuple(self._sent), []
            self._runner.begin_wait(self, Waiting(wait, sent, asked))
        answer = await self._runner.answer(self, wait)
        return serializer.open(answer)

    def _number(self, waiter: str) -> str:
        """A step that waits twice for the same waits for two events: the second wait is another."""
        count = self._waits[waiter] = self._waits.get(waiter, 0) + 1
        return waiter if count == 1 else f"{waiter} #{count}"

    def show(self, event: Event) -> None:
        """Show the event to whoever watches the run."""
        _check_event(event, f"step {self.delivery.step!r} wrote to the stream")
        self._runner.show(event.model_copy(deep=True))  # as it is now, whatever becomes of it

    def complete(self, output: object) -> Completed:
        """The step has returned: all that it did, as one fact."""
        sealed: SealedEvent | None = None
        sent = self._sent
        if output is not None:
            _check_event(output, f"step {self.delivery.step!r} returned")
            assert isinstance(output, Event)
            sealed = self._graph.serializer.seal(output)
            sent.append(Sent(sealed))
        completed = Completed(self.delivery.id, tuple(sent), sealed)
        if self._view is None and self._gathering is None:
            return completed
        gathering = self._gathering or Gathering(self.delivery.id, self.delivery.step)
        put_by, collected = gathering.put_by, gathering.collected
        return Completed(
            self.delivery.id,
            tuple(sent),
            sealed,
            {} if self._view is None else self._view.changes(),
            {key_of(turn): entry for turn, entry in put_by.items() if turn not in collected},
            {key_of(turn): entry for turn, entry in collected.items() if turn not in put_by},
        )

    def commit(self, completed: Completed, committed: Map[str, Json]) -> None:
        """The fact is kept: what was the step's alone is now the run's."""
        if self._gathering is not None:
            self._buffers.complete(self._gathering)
        self._live.commit(self.delivery.id, completed.changes or {}, committed)

    def abandon(self) -> None:
        """The try has failed: nothing of it is kept."""
        if self._view is not None:
            self._view.abandon()
        if self._gathering is not None:
            self._buffers.abandon(self._gathering)


def _check_event(event: object, what: str) -> None:
    if not isinstance(event, Event):
        raise WorkflowRuntimeError(
            f"{what[0].upper()}{what[1:]} a {type(event).__name__}, which is no Event."
        )
