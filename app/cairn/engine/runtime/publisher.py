"""Publisher: shows the events of a run to its watchers."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol

from cairn.engine.core.facts import Completed, Fact, gone_out
from cairn.engine.core.snapshot import Delivery, Wait
from cairn.engine.language.events import (
    Event,
    StepState,
    StepStateChanged,
    UnhandledEvent,
    WorkflowIdleEvent,
)
from cairn.engine.language.graph import Graph
from cairn.engine.language.retry import RetryInfo
from cairn.engine.values.sealed import SealedEvent

Show = Callable[[Event], None]


class Observer(Protocol):
    """The receiver of what the attempts of a run do besides facts."""

    def written(self, event: Event, delivery: Delivery, attempt: int) -> None:
        """Take an event that an attempt has written to the stream.

        Args:
            event: a copy of the event.
            delivery: the delivery that the attempt is at.
            attempt: the number of the attempt at the delivery, from 1.

        Raises:
            SerializationError: the event cannot be stored.
        """

    def failed(
        self, delivery: Delivery, attempt: int, retry: RetryInfo, seconds: float | None
    ) -> Awaitable[object]:
        """Take note of a failed attempt.

        Args:
            delivery: the delivery that the attempt was at.
            attempt: the number of the attempt at the delivery, from 1.
            retry: the failed attempts so far, with the exception of this one.
            seconds: the pause before the next attempt; `None` if there is none.

        Returns:
            An awaitable, done once the failure is kept.
        """


StepChange = tuple[str, str, int | None, str, str | None]
"""A `StepStateChanged` as plain values: state, step, worker, event taken, event given.

A run has many changes, and few watchers: the event is made for a reader alone.
"""
Watch = Callable[[Event | StepChange], None]


class Publisher:
    """Shows the events of a run to its watchers, if the run has any.

    Args:
        show: called with each event that the run shows.
        watch: called with the internal events: the begin and the end of each step, events that no
            step takes, and a run that only waits.
        verbose: whether to print the begin and the end of each step.
        observer: receives what attempts write to the stream, and their failures.
    """

    def __init__(
        self,
        graph: Graph,
        show: Show | None = None,
        watch: Watch | None = None,
        verbose: bool = False,
        observer: Observer | None = None,
    ) -> None:
        self._graph = graph
        self._show = show
        self._watch = _printing(watch) if verbose else watch
        self.observer = observer

    def show(self, event: Event, delivery: Delivery, attempt: int) -> None:
        """Show an event that an attempt at a delivery has written to the stream."""
        if self._show is not None:
            self._show(event)
        if self.observer is not None:
            self.observer.written(event, delivery, attempt)

    def ask(self, wait: Wait) -> None:
        """Show the question of a wait, if there is one."""
        if wait.asked is not None:
            self._open(wait.asked)

    def publish(self, fact: Fact) -> None:
        """Show the questions and the stop event that a committed fact has brought."""
        if self._show is not None:
            for event in gone_out(fact):
                route = self._graph.routes[event.type]
                if route.shown:
                    self._open(event)
                if route.stops:
                    break  # the run has ended

    def unhandled(self, events: Iterable[SealedEvent], idle: bool) -> None:
        """Show that no step and no wait has taken these events.

        Args:
            events: the events; questions among these are left out.
            idle: true if no step works, and none is queued.
        """
        if self._watch is not None:
            for event in events:
                if not self._graph.routes[event.type].shown:
                    self._watch(self._unhandled(event, idle))

    def idle(self) -> None:
        """Show that nothing is left to do but wait."""
        if self._watch is not None:
            self._watch(WorkflowIdleEvent())

    def step_begins(self, delivery: Delivery, worker: int | None) -> None:
        """Show that a step has begun; without a worker, that the step is queued."""
        if self._watch is not None:
            state = PREPARING if worker is None else RUNNING
            self._watch((state, delivery.step, worker, delivery.event.type, None))

    def step_ends(self, delivery: Delivery, worker: int | None, fact: Fact) -> None:
        """Show that a step has ended, and the type of the event that the step has returned."""
        if self._watch is not None:
            given = fact.output.type if type(fact) is Completed and fact.output else None
            self._watch((DONE, delivery.step, worker, delivery.event.type, given))

    def _open(self, event: SealedEvent) -> None:
        if self._show is not None:
            self._show(self._graph.serializer.open(event))

    def _unhandled(self, event: SealedEvent, idle: bool) -> Event:
        kind = self._graph.event_type(event.type)
        module = "" if kind is None else f"{kind.__module__}."
        return UnhandledEvent(event_type=event.type, qualified_name=module + event.type, idle=idle)


def _printing(watch: Watch | None) -> Watch:
    def watch_and_print(item: Event | StepChange) -> None:
        if isinstance(item, tuple):
            state, name, worker, taken, given = item
            if state == RUNNING:
                print(f"[{name}:{worker}] works on {taken}")
            elif state == DONE:
                print(f"[{name}:{worker}] gave {given or 'nothing'}")
        if watch is not None:
            watch(item)

    return watch_and_print


PREPARING, RUNNING, DONE = (state.value for state in StepState)


def as_event(change: StepChange) -> Event:
    """The event with these values."""
    state, name, worker, taken, given = change
    return StepStateChanged(
        name=name,
        step_state=StepState(state),
        worker_id="" if worker is None else str(worker),
        input_event_name=taken,
        output_event_name=given,
    )
