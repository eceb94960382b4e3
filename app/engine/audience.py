"""Audience: who watches a run, and what is shown to them."""

from collections.abc import Callable
from functools import partial

from app.engine.events import Event, StepState, StepStateChanged, UnhandledEvent, WorkflowIdleEvent
from app.engine.facts import Fact, gone_out
from app.engine.graph import Graph
from app.engine.serialization import SealedEvent
from app.engine.snapshot import NOTHING, Delivery, Delta, Wait

Show = Callable[[Event], None]
Watch = Callable[[Callable[[], Event]], None]


class Audience:
    """Those who watch a run, if anybody does.

    Args:
        show: is given each event that the run shows.
        watch: is given, for each change of the run's inside, a function that makes the event which
            tells of it: few want to know, and it is not made for the others.
    """

    def __init__(self, graph: Graph, show: Show | None = None, watch: Watch | None = None) -> None:
        self._graph = graph
        self._show = show
        self._watch = watch

    def show(self, event: Event) -> None:
        """A step shows this."""
        if self._show is not None:
            self._show(event)

    def ask(self, wait: Wait) -> None:
        """A step waits, with a question."""
        if wait.asked is not None:
            self._open(wait.asked)

    def hear(self, fact: Fact, delta: Delta, idle: bool) -> None:
        """A fact is committed: questions go out, and what ends the run."""
        if self._show is not None:
            for event in gone_out(fact):
                if self._graph.routes[event.type].shown:
                    self._open(event)
        if self._watch is not None and delta.unclaimed is not NOTHING:
            for event in delta.unclaimed.put.values():
                if not self._graph.routes[event.type].shown:
                    self._watch(partial(self._unhandled, event, idle))

    def idle(self) -> None:
        """Nothing is left to do but wait."""
        if self._watch is not None:
            self._watch(WorkflowIdleEvent)

    def step_is(
        self, state: StepState, delivery: Delivery, worker: int | None, output: str | None = None
    ) -> None:
        """A step has begun or ended."""
        if self._watch is not None:
            self._watch(
                partial(
                    StepStateChanged,
                    name=delivery.step,
                    step_state=state,
                    worker_id="" if worker is None else str(worker),
                    input_event_name=delivery.event.type,
                    output_event_name=output,
                )
            )

    def _open(self, event: SealedEvent) -> None:
        if self._show is not None:
            self._show(self._graph.serializer.open(event))

    def _unhandled(self, event: SealedEvent, idle: bool) -> Event:
        kind = self._graph.event_type(event.type)
        module = "" if kind is None else f"{kind.__module__}."
        return UnhandledEvent(event_type=event.type, qualified_name=module + event.type, idle=idle)
