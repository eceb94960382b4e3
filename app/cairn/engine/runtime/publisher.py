"""Publisher: shows the events of a run to its watchers."""

from collections.abc import Callable, Iterable

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
from cairn.engine.values.sealed import SealedEvent

Show = Callable[[Event], None]
Inside = tuple[str, str, int | None, str, str | None]
"""The begin or the end of a step, as plain values.

There are many, and few watchers want them: `StepStateChanged` has the same fields.
"""


class Publisher:
    """Shows the events of a run to its watchers, if the run has any.

    Args:
        show: called with each event that the run shows.
        watch: called with the begin and the end of each step.
        verbose: whether to print these, too.
    """

    def __init__(
        self,
        graph: Graph,
        show: Show | None = None,
        watch: Callable[[Event | Inside], None] | None = None,
        verbose: bool = False,
    ) -> None:
        self._graph = graph
        self._show = show
        self._watch = _printing(watch) if verbose else watch

    def show(self, event: Event) -> None:
        """A step shows this."""
        if self._show is not None:
            self._show(event)

    def ask(self, wait: Wait) -> None:
        """A step waits, with a question."""
        if wait.asked is not None:
            self._open(wait.asked)

    def publish(self, fact: Fact) -> None:
        """Show the question, or the end of the run, in a committed fact."""
        if self._show is not None:
            for event in gone_out(fact):
                route = self._graph.routes[event.type]
                if route.shown:
                    self._open(event)
                if route.stops:
                    break  # nothing goes out after that

    def unhandled(self, events: Iterable[SealedEvent], idle: bool) -> None:
        """Show events that no step and no wait has taken."""
        if self._watch is not None:
            for event in events:
                if not self._graph.routes[event.type].shown:
                    self._watch(self._unhandled(event, idle))

    def idle(self) -> None:
        """Nothing is left to do but wait."""
        if self._watch is not None:
            self._watch(WorkflowIdleEvent())

    def step_begins(self, delivery: Delivery, worker: int | None) -> None:
        """A step has a worker, or waits for one."""
        if self._watch is not None:
            state = PREPARING if worker is None else RUNNING
            self._watch((state, delivery.step, worker, delivery.event.type, None))

    def step_ends(self, delivery: Delivery, worker: int | None, fact: Fact) -> None:
        """A step has ended."""
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


def _printing(watch: Callable[[Event | Inside], None] | None) -> Callable[[Event | Inside], None]:
    def watch_and_print(told: Event | Inside) -> None:
        if isinstance(told, tuple):
            state, name, worker, taken, given = told
            if state == RUNNING:
                print(f"[{name}:{worker}] works on {taken}")
            elif state == DONE:
                print(f"[{name}:{worker}] gave {given or 'nothing'}")
        if watch is not None:
            watch(told)

    return watch_and_print


PREPARING, RUNNING, DONE = (state.value for state in StepState)


def told_of(inside: Inside) -> Event:
    """The event with these values."""
    state, name, worker, taken, given = inside
    return StepStateChanged(
        name=name,
        step_state=StepState(state),
        worker_id="" if worker is None else str(worker),
        input_event_name=taken,
        output_event_name=given,
    )
