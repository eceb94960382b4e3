"""The graph of a workflow: its steps, and the routes of events between the steps."""

import dataclasses
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel

from cairn.engine.core.routes import Route, Routes
from cairn.engine.core.snapshot import Delivery
from cairn.engine.errors import WorkflowRuntimeError, WorkflowValidationError
from cairn.engine.language.batch_levels import BatchLevels, handlers
from cairn.engine.language.collect import Take
from cairn.engine.language.consumers import Consumers
from cairn.engine.language.events import (
    Event,
    EventBatch,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StepFailedEvent,
    StopEvent,
)
from cairn.engine.language.serialization import Serializer, is_declarable
from cairn.engine.language.state_store import DictState
from cairn.engine.language.steps import Step
from cairn.engine.language.validation import ALL_CHECKS, problems, refused, state_types

ALWAYS = (InputRequiredEvent, HumanResponseEvent, StopEvent, EventBatch, StepFailedEvent)
"""Types of event that any run may hold, also if no step names them."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The steps of a workflow and the routes of events between the steps.

    Attributes:
        steps: the steps by name, in the order of their definition.
        start: the type of the event that begins a run.
        stops: the types of event that end a run.
        events: all types of event, by name.
        state_type: the type of the context's state.
        routes: the route of each type of event.
        handlers: by step, the name of the `@catch_error` step that catches its failures.
        serializer: writes and reads the workflow's events and state.
        renamed: by a step's name in earlier code, its name now.
    """

    steps: dict[str, Step]
    start: type[StartEvent]
    stops: tuple[type[StopEvent], ...]
    events: dict[str, type[Event]]
    state_type: type[BaseModel]
    routes: Routes
    handlers: Mapping[str, str]
    serializer: Serializer
    renamed: Mapping[str, str]

    @property
    def taken(self) -> list[str]:
        """The names of the types of event that the steps take, without the start event's."""
        taken = dict.fromkeys(kind for step in self.steps.values() for kind in step.takes)
        return [kind.__name__ for kind in taken if not issubclass(kind, StartEvent)]

    def lost(self, delivery: Delivery) -> str:
        """Return a message: the step of a pending delivery no longer exists, and the remedies."""
        return (
            f"Step {delivery.step!r}, for which a pending {delivery.event.type} was sent, is not "
            f"in the workflow any more. Its steps are: {', '.join(self.steps)}. Bring the step "
            f"back, or mark the one that has its place now: @step(was={delivery.step!r})."
        )

    def check_step(self, name: str, event_type: str) -> None:
        """Check that an event of this type can be sent to the step.

        Raises:
            WorkflowRuntimeError: the step does not exist, does not take the type, or takes a list.
        """
        step = self.steps.get(name)
        if step is None:
            raise WorkflowRuntimeError(
                f"There is no step {name!r}. The steps are: {', '.join(self.steps)}."
            )
        kind = self.event_type(event_type)
        if kind is None or not step.accepts(kind):
            taken = ", ".join(kind.__name__ for kind in step.takes)
            raise WorkflowRuntimeError(
                f"Step {name!r} does not take {event_type}; it takes {taken}."
            )
        if step.signature.collects:
            raise WorkflowRuntimeError(
                f"Step {name!r} takes a list of what steps have returned: it can be sent nothing."
            )

    def event_type(self, name: str) -> type[Event] | None:
        """Return the type of event with the name, or `None` if the workflow knows none."""
        found = self.serializer.type_named(name)
        return found if found is not None and issubclass(found, Event) else None


def graph_of(
    name: str,
    module: str,
    steps: dict[str, Step],
    declared: Iterable[type],
    skipped_checks: frozenset[str] = frozenset(),
    make_serializer: Callable[..., Serializer] = Serializer,
) -> Graph:
    """Build the graph of a workflow from its steps.

    Args:
        name: the name of the workflow's class, for messages.
        module: the module of the class; the types in that module can be stored, too.
        steps: the steps by name.
        declared: further types that events and state may hold.
        skipped_checks: the checks of `validation` to leave out.
        make_serializer: makes a serializer from the types by name and a look-up for further names.

    Raises:
        WorkflowValidationError: steps and events do not fit together; the message lists all
            problems. Or two types have one name.
    """
    wrong = [] if skipped_checks >= ALL_CHECKS else list(problems(steps, skipped_checks))
    starts = [e for s in steps.values() for e in s.takes if issubclass(e, StartEvent)]
    if not wrong and not starts:
        wrong = ["no step takes a StartEvent, so nothing can begin."]
    if wrong:
        raise refused(name, wrong)
    used = [event for s in steps.values() for event in (*s.takes, *s.gives)]
    events: dict[str, type[Event]] = {}
    for event in used:
        _declare(events, event, name)
    for event in ALWAYS:
        _declare(events, event, name)
    known: dict[str, type] = dict(events)
    states = state_types(steps)
    for kind in (*declared, *events.values(), *states):
        for part in _types_within(kind, set()):
            _declare(known, part, name)
    serializer = make_serializer(known, partial(_type_in_module, module))
    return Graph(
        steps,
        starts[0],
        tuple(
            dict.fromkeys(e for s in steps.values() for e in s.gives if issubclass(e, StopEvent))
        ),
        events,
        states[0] if states else DictState,
        _routes(steps, serializer),
        handlers(steps),
        serializer,
        {name: step.name for step in steps.values() for name in step.was},
    )


def _routes(steps: Mapping[str, Step], serializer: Serializer) -> Routes:
    """Return the route of each type of event, found on first use."""
    consumers = Consumers(steps.values())

    def find(event_type: str) -> Route:
        kind = serializer.type_named(event_type)
        if kind is None or not issubclass(kind, Event) or kind is EventBatch:
            return Route()
        taking = [step for step in consumers.of_type(kind) if not step.catches]
        return Route(
            tuple(s.name for s in taking if not s.signature.slots and not s.signature.collects),
            tuple((s.name, _slots(s, kind)) for s in taking if s.signature.slots),
            tuple(s.name for s in taking if s.signature.collects),
            stops=issubclass(kind, StopEvent),
            shown=issubclass(kind, (InputRequiredEvent, StopEvent)),
            answers=issubclass(kind, HumanResponseEvent),
        )

    collecting = {s.name: s.signature.collects for s in steps.values() if s.signature.collects}
    return Routes(
        find,
        {s.name: tuple(s.signature.slots) for s in steps.values() if s.signature.slots},
        {
            n: c.cardinality.n if isinstance(c.cardinality, Take) else None
            for n, c in collecting.items()
        },
        BatchLevels(steps).collectors,
        tuple(
            dict.fromkeys(
                kind.__name__
                for step in steps.values()
                for kind in step.takes
                if issubclass(kind, HumanResponseEvent)
            )
        ),
    )


def _slots(step: Step, kind: type[Event]) -> tuple[str, ...]:
    """Return the parameters that name the event's exact type or, if none does, a base type."""
    slots = step.signature.slots.items()
    exact = tuple(name for name, taken in slots if taken is kind)
    return exact or tuple(name for name, taken in slots if issubclass(kind, taken))


def _declare(known: dict[str, Any], kind: type, workflow: str) -> None:
    first = known.setdefault(kind.__name__, kind)
    if first is not kind:
        raise WorkflowValidationError(
            f"{workflow} uses two types called {kind.__name__} ({first.__module__} and "
            f"{kind.__module__}). They are told apart by name: rename one."
        )


def _types_within(hint: object, visited: set[type]) -> Iterator[type]:
    """Return the declarable types that values of the annotation can hold."""
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        if not is_declarable(hint) or hint in visited:
            return
        visited.add(hint)
        yield hint
        if issubclass(hint, BaseModel):
            parts: Iterable[object] = [field.annotation for field in hint.model_fields.values()]
        elif dataclasses.is_dataclass(hint):
            parts = typing.get_type_hints(hint).values()
        else:
            parts = ()
    else:
        parts = typing.get_args(hint)
    for part in parts:
        yield from _types_within(part, visited)


def _type_in_module(module: str, name: str) -> type | None:
    """Return the model, dataclass, enum or exception with the name in the workflow's module."""
    found = getattr(sys.modules.get(module), name, None)
    is_error = isinstance(found, type) and issubclass(found, Exception)
    return found if is_error or is_declarable(found) else None
