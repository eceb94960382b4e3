"""The graph of a workflow: its steps, the events between them, and what is wrong with them."""

import dataclasses
import sys
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel

from app.engine.advance import Routes
from app.engine.errors import WorkflowRuntimeError, WorkflowValidationError
from app.engine.events import Event, HumanResponseEvent, InputRequiredEvent, StartEvent, StopEvent
from app.engine.serialization import Serializer, is_declarable
from app.engine.steps import Step
from app.engine.store import DictState

T = TypeVar("T", bound=type)

TAKEN_ELSEWHERE = (StopEvent, InputRequiredEvent, HumanResponseEvent)
"""What no step need take: the run's end, a question, and an answer that a step may wait for."""


@dataclass(frozen=True, slots=True)
class Graph:
    """The steps of a workflow and how events go between them.

    Attributes:
        steps: by name, in the order of their definition.
        start: the type of the event that begins a run.
        stops: the types that end one.
        events: all the types of event, by name.
        state_type: the type of the context's state.
        shown: the names of those that go to whoever watches: questions, and what ends a run.
    """

    steps: dict[str, Step]
    start: type[StartEvent]
    stops: tuple[type[StopEvent], ...]
    events: dict[str, type[Event]]
    shown: frozenset[str]
    state_type: type[BaseModel]
    routes: Routes
    serializer: Serializer

    def check_step(self, name: str, event_type: str) -> None:
        """Check that there is such a step, and that it takes such events.

        Raises:
            WorkflowRuntimeError: there is none, or it does not.
        """
        step = self.steps.get(name)
        if step is None:
            raise WorkflowRuntimeError(
                f"There is no step {name!r}. The steps are: {', '.join(self.steps)}."
            )
        if event_type not in {event.__name__ for event in step.takes}:
            raise WorkflowRuntimeError(
                f"Step {name!r} does not take {event_type}; it takes {_names(step.takes)}."
            )

    def event_type(self, name: str) -> type[Event] | None:
        """The type of event of that name, if the workflow knows one."""
        found = self.serializer.type_named(name)
        return found if found is not None and issubclass(found, Event) else None

    def mermaid(self) -> str:
        """The graph as Mermaid's flowchart text: steps are boxes, events are rounded."""
        lines = ["flowchart TD"]
        lines += [f'    {name}["{name}"]' for name in self.steps]
        lines += [f'    {name}(["{name}"]):::event' for name in self._drawn()]
        for step in self.steps.values():
            lines += [f"    {event.__name__} --> {step.name}" for event in step.takes]
            lines += [f"    {step.name} --> {event.__name__}" for event in step.gives]
        lines.append("    classDef event fill:#fdf6e3,stroke:#b58900,color:#333")
        return "\n".join(lines) + "\n"

    def _drawn(self) -> list[str]:
        used = (event.__name__ for s in self.steps.values() for event in (*s.takes, *s.gives))
        return list(dict.fromkeys(used))


def graph_of(name: str, module: str, steps: dict[str, Step], declared: Iterable[type]) -> Graph:
    """Put the steps together.

    Args:
        name: the workflow's class, for messages.
        module: where it is defined: the types found there can be stored as well.
        declared: further types whose values its events and its state may hold.

    Raises:
        WorkflowValidationError: something is missing or does not fit; the message lists all of it.
    """
    given = _unique(event for step in steps.values() for event in step.gives)
    taken = _unique(event for step in steps.values() for event in step.takes)
    problems = list(_problems(steps, given, taken))
    if problems:
        raise WorkflowValidationError(
            f"{name} cannot run:\n" + "\n".join(f"- {p}" for p in problems)
        )
    always: list[type[Event]] = [InputRequiredEvent, HumanResponseEvent, StopEvent]
    events: dict[str, type[Event]] = {}
    for event in (*taken, *given, *always):
        _declare(events, event, name)
    known: dict[str, type] = dict(events)
    state_types = {step.state_type for step in steps.values() if step.state_type is not None}
    for kind in (*declared, *events.values(), *state_types):
        for part in _reachable(kind, set()):
            _declare(known, part, name)
    routes = {
        event.__name__: tuple(step.name for step in steps.values() if event in step.takes)
        for event in taken
    }
    stops = tuple(event for event in given if issubclass(event, StopEvent))
    return Graph(
        steps,
        next(event for event in taken if issubclass(event, StartEvent)),
        stops,
        events,
        frozenset(n for n, e in events.items() if issubclass(e, (InputRequiredEvent, StopEvent))),
        state_types.pop() if state_types else DictState,
        Routes(routes, frozenset({StopEvent.__name__, *(stop.__name__ for stop in stops)})),
        Serializer(known, lambda type_name: _visible(module, type_name)),
    )


def _problems(
    steps: dict[str, Step], given: list[type[Event]], taken: list[type[Event]]
) -> Iterator[str]:
    if not steps:
        yield "it has no steps: mark its methods with @step."
        return
    starts = [event for event in taken if issubclass(event, StartEvent)]
    if not starts:
        yield "no step takes a StartEvent, so nothing can begin."
    if len(starts) > 1:
        yield f"it can start with one type of StartEvent, not {len(starts)}: {_names(starts)}."
    states = {step.state_type for step in steps.values() if step.state_type is not None}
    if len(states) > 1:
        yield f"its steps name several types of state: {_names(states)}. There can be one."
    for state_type in states:
        needed = [name for name, f in state_type.model_fields.items() if f.is_required()]
        if needed:
            yield (
                f"its state, {state_type.__name__}, cannot begin: give defaults to "
                f"{', '.join(needed)}."
            )
    if not any(issubclass(event, StopEvent) for event in given):
        yield "no step gives a StopEvent, so it can never end."
    for event in taken:
        if issubclass(event, StopEvent):
            yield f"{event.__name__} ends the run: no step can take it ({_takers(steps, event)})."
        elif event not in given and not issubclass(event, (StartEvent, HumanResponseEvent)):
            yield (
                f"{event.__name__} is consumed but never produced: {_takers(steps, event)} waits "
                "for it, and no step names it in its return annotation."
            )
    for event in given:
        if event not in taken and not issubclass(event, TAKEN_ELSEWHERE):
            yield (
                f"{event.__name__} is produced but never consumed: {_givers(steps, event)} gives "
                "it, and no step takes it."
            )


def _takers(steps: dict[str, Step], event: type[Event]) -> str:
    return ", ".join(step.name for step in steps.values() if event in step.takes)


def _givers(steps: dict[str, Step], event: type[Event]) -> str:
    return ", ".join(step.name for step in steps.values() if event in step.gives)


def _names(kinds: Iterable[type]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)


def _unique(events: Iterable[type[Event]]) -> list[type[Event]]:
    return list(dict.fromkeys(events))


def _declare(known: dict[str, T], kind: T, workflow: str) -> None:
    other = known.setdefault(kind.__name__, kind)
    if other is not kind:
        raise WorkflowValidationError(
            f"{workflow} uses two types called {kind.__name__} ({other.__module__} and "
            f"{kind.__module__}). They are told apart by name: rename one."
        )


def _reachable(hint: object, seen: set[type]) -> Iterator[type]:
    """The types that values of this annotation can hold, as far as annotations tell."""
    if isinstance(hint, type) and not isinstance(hint, types.GenericAlias):
        if not is_declarable(hint) or hint in seen:
            return
        seen.add(hint)
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
        yield from _reachable(part, seen)


def _visible(module: str, name: str) -> type | None:
    """A model, dataclass or enum that the workflow's module has defined or imported."""
    found = getattr(sys.modules.get(module), name, None)
    return found if is_declarable(found) else None
