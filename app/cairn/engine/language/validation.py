"""Validation of a workflow: each way in which steps and events can fail to fit together."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from pydantic import BaseModel

from cairn.engine.errors import WorkflowValidationError
from cairn.engine.language.batch_levels import FROM_OUTSIDE, BatchLevels
from cairn.engine.language.consumers import Consumers
from cairn.engine.language.events import (
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StepFailedEvent,
    StopEvent,
)
from cairn.engine.language.steps import Step

TAKEN_ELSEWHERE = (StopEvent, InputRequiredEvent, HumanResponseEvent)
"""Types of event that no step needs to take: the end of the run, a question to a person, and an
answer, which a step may wait for."""

CHECKS = ("reachability", "terminal_event", "dead_end")
"""The checks that can be skipped, by their names in LlamaIndex Workflows."""

ALL_CHECKS = frozenset({*CHECKS, "all"})
"""Skips all checks, also those without a name."""


def problems(steps: Mapping[str, Step], skipped: frozenset[str] = frozenset()) -> Iterator[str]:
    """Return all problems of a workflow, one sentence each.

    Args:
        steps: the steps by name.
        skipped: the names of the checks to leave out.
    """
    if not steps:
        yield from no_way(steps)
        return
    given = dict.fromkeys(event for step in steps.values() for event in step.gives)
    taken = dict.fromkeys(event for step in steps.values() for event in step.takes)
    yield from no_way(steps)
    yield from _states(steps)
    yield from _events(steps, given, taken, skipped)
    yield from _handlers(steps)
    yield from _renamed(steps)
    yield from _batches(steps)
    yield from _reachability(steps, skipped)


def refused(workflow: str, wrong: Iterable[str]) -> WorkflowValidationError:
    """Return the error for a workflow with these problems."""
    return WorkflowValidationError(f"{workflow} cannot run:\n" + "\n".join(f"- {p}" for p in wrong))


def no_way(steps: Mapping[str, Step]) -> Iterator[str]:
    """Return the reasons, one sentence each, for which a run cannot begin or cannot end."""
    if not steps:
        yield "it has no steps: mark its methods with @step."
        return
    given = dict.fromkeys(event for step in steps.values() for event in step.gives)
    taken = dict.fromkeys(event for step in steps.values() for event in step.takes)
    starts = [event for event in taken if issubclass(event, StartEvent)]
    if not starts:
        yield "no step takes a StartEvent, so nothing can begin."
    if len(starts) > 1:
        yield f"it can start with one type of StartEvent, not {len(starts)}: {_names(starts)}."
    if not any(issubclass(event, StopEvent) for event in given):
        yield "no step gives a StopEvent, so it can never end."


def state_types(steps: Mapping[str, Step]) -> list[type[BaseModel]]:
    """Return the types of state that the steps name, the most derived first."""
    named = dict.fromkeys(step.signature.state_type for step in steps.values())
    return sorted((kind for kind in named if kind), key=lambda kind: -len(kind.__mro__))


def _renamed(steps: Mapping[str, Step]) -> Iterator[str]:
    names = [name for step in steps.values() for name in step.was]
    for name in dict.fromkeys(names):
        if name in steps:
            yield f"a step was {name!r}, but there is a step {name!r} still: take `was` out."
        if names.count(name) > 1:
            yield f"several steps were {name!r}: what is pending for it can be only one's."


def _states(steps: Mapping[str, Step]) -> Iterator[str]:
    states = state_types(steps)
    if not all(issubclass(states[0], other) for other in states[1:]):
        yield (
            f"its steps name types of state that do not fit: {_names(states)}. There can be one, "
            "and those that it inherits from."
        )
    for state_type in states:
        needed = [name for name, f in state_type.model_fields.items() if f.is_required()]
        if needed:
            yield (
                f"its state, {state_type.__name__}, cannot begin: give defaults to "
                f"{', '.join(needed)}."
            )


def _events(
    steps: Mapping[str, Step],
    given: Collection[type[Event]],
    taken: Collection[type[Event]],
    skipped: frozenset[str],
) -> Iterator[str]:
    consumers = Consumers(steps.values())
    for event in taken:
        naming = [step for step in consumers.of_type(event) if event in step.takes]
        names = ", ".join(step.name for step in naming)
        if issubclass(event, StopEvent):
            yield f"{event.__name__} ends the run: no step can take it ({names})."
        elif issubclass(event, FROM_OUTSIDE) or event is Event:
            continue
        elif not any(_fits(event, given, step) for step in naming):
            yield (
                f"{event.__name__} is consumed but never produced: {names} waits for it, and no "
                "step names it in its return annotation."
            )
    for event in given if "terminal_event" not in skipped else ():
        if not consumers.of_type(event) and not issubclass(event, TAKEN_ELSEWHERE):
            givers = ", ".join(step.name for step in steps.values() if event in step.gives)
            yield (
                f"{event.__name__} is produced but never consumed: {givers} gives it, and no step "
                "takes it."
            )


def _handlers(steps: Mapping[str, Step]) -> Iterator[str]:
    handlers = [step for step in steps.values() if step.catches]
    for_all = [h.name for h in handlers if h.catches and h.catches.for_steps is None]
    if len(for_all) > 1:
        names = ", ".join(for_all)
        yield f"one step can catch the errors of all others, not {names}: name for_steps."
    owners: dict[str, str] = {}
    for handler in handlers:
        for name in (handler.catches and handler.catches.for_steps) or ():
            if name not in steps:
                yield f"{handler.name} catches the errors of {name!r}, and there is no such step."
            elif steps[name].catches:
                yield f"{handler.name} cannot catch the errors of {name}, which catches errors."
            elif owners.setdefault(name, handler.name) != handler.name:
                yield f"both {owners[name]} and {handler.name} catch the errors of {name}."
    for step in steps.values():
        if StepFailedEvent in step.takes and not step.catches:
            yield f"{step.name} takes a StepFailedEvent: mark it with @catch_error, not @step."


def _batches(steps: Mapping[str, Step]) -> Iterator[str]:
    """Find steps whose events never meet.

    A list parameter needs a returned list as its source. Several event parameters need events of
    one batch, or all from outside of batches.
    """
    found = BatchLevels(steps)
    levels = [found.outside, *found.batches.values()]
    bound = {name for names in found.collectors.values() for name in names}
    for step in steps.values():
        if step.signature.collects and step.name not in bound:
            yield (
                f"{step.name} collects a list of {_names(step.takes)}, and they come of no list "
                "that a step returns: annotate a return with list[...]."
            )
        takes = step.signature.slots.values()
        if takes and not any(all(_fits(kind, level, step) for kind in takes) for level in levels):
            yield (
                f"{step.name} waits for {_names(takes)} together, and they never meet: some come "
                "of a returned list, others do not. Collect that list first."
            )


def _fits(kind: type[Event], level: Collection[type[Event]], step: Step) -> bool:
    return kind in level or (
        step.accepts_subclasses and any(issubclass(given, kind) for given in level)
    )


def _reachability(steps: Mapping[str, Step], skipped: frozenset[str]) -> Iterator[str]:
    """Find steps that no beginning leads to, and steps that lead to no end."""
    consumers = Consumers(steps.values())
    begins = [e for s in steps.values() for e in s.takes if issubclass(e, FROM_OUTSIDE)]
    started = _reached(
        [step.name for event in begins for step in consumers.of_type(event)],
        lambda name: [c.name for event in steps[name].gives for c in consumers.of_type(event)],
    )
    before: defaultdict[str, list[str]] = defaultdict(list)
    for step in steps.values():
        for event in step.gives:
            for consumer in consumers.of_type(event):
                before[consumer.name].append(step.name)
    ends = [
        name
        for name, step in steps.items()
        if not step.gives or any(issubclass(event, TAKEN_ELSEWHERE) for event in step.gives)
    ]
    leading = _reached(ends, before.__getitem__)
    for name, step in steps.items():
        if name not in started and "reachability" not in skipped | step.skipped_checks:
            yield (
                f"{name} is never started: nothing that a run begins with leads to "
                f"{_names(step.takes)}."
            )
    for name, step in steps.items():
        if name not in leading and "dead_end" not in skipped | step.skipped_checks:
            yield (
                f"{name} leads to no end: nothing that comes of {_names(step.gives)} gives a "
                "StopEvent or asks a person."
            )


def _reached(start: Iterable[str], onward: Callable[[str], Iterable[str]]) -> set[str]:
    """Return all steps that can be reached from `start`, by `onward` from step to step."""
    found = set(start)
    ahead = list(found)
    while ahead:
        new = set(onward(ahead.pop())) - found
        found |= new
        ahead += new
    return found


def _names(kinds: Iterable[type]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)
