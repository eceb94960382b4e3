"""Levels: which steps work on what comes of one returned list, before it is collected."""

from collections.abc import Iterable, Mapping

from app.engine.events import Event
from app.engine.steps import Step


def collectors(steps: Mapping[str, Step]) -> dict[str, list[str]]:
    """By step that returns lists: the steps that collect what comes of them."""
    found: dict[str, list[str]] = {}
    for producer in steps.values():
        if producer.signature.gives_lists:
            level = of_batch(steps, producer.name)
            found[producer.name] = [
                step.name
                for step in steps.values()
                if step.signature.collects and any(map(step.accepts, level))
            ]
    return found


def of_batch(steps: Mapping[str, Step], producer: str) -> set[type[Event]]:
    """The types of event in the batches of this step."""
    return of(steps, steps[producer].gives, frozenset({producer}))


def of(
    steps: Mapping[str, Step], kinds: Iterable[type[Event]], around: frozenset[str] = frozenset()
) -> set[type[Event]]:
    """The types of event that come of these without entering another batch, or leaving this one.

    A list that is returned on the way opens a batch within; of that, what its collecting steps
    return comes back.

    Args:
        around: the steps whose lists have led here, so that one which leads to itself ends.
    """
    found: set[type[Event]] = set()
    to_do = list(kinds)
    while to_do:
        kind = to_do.pop()
        if kind in found:
            continue
        found.add(kind)
        for step in steps.values():
            if step.accepts(kind) and not step.signature.collects:
                to_do += _given(steps, step, around)
    return found


def _given(steps: Mapping[str, Step], step: Step, around: frozenset[str]) -> Iterable[type[Event]]:
    """What the step gives back to the level that it is started on."""
    if not step.signature.gives_lists:
        return step.gives
    alone = list(step.signature.gives_alone)
    if step.name in around:
        return alone
    around |= {step.name}
    within = of(steps, step.gives, around)
    for collector in steps.values():
        if collector.signature.collects and any(map(collector.accepts, within)):
            alone += _given(steps, collector, around)
    return alone
