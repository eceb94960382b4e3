"""Levels: which events come of one returned list before it is collected, and which of no list."""

from collections.abc import Iterable, Mapping

from app.engine.events import Event, HumanResponseEvent, StartEvent, StepFailedEvent
from app.engine.steps import Step

Kinds = set[type[Event]]

FROM_OUTSIDE = (StartEvent, HumanResponseEvent, StepFailedEvent)
"""What no step need give."""


class Levels:
    """What can meet what: events of one batch meet each other, and those outside of all batches.

    Attributes:
        batches: by step that returns lists, the types of event in its batches.
        outside: the types of event outside of all batches.
        collectors: by step that returns lists, those that collect what is in its batches.
    """

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._steps = steps
        self._handlers = handlers(steps)
        # What a step gives to the level on which it is started.
        self._back: dict[str, Kinds] = {
            name: set(s.signature.gives_alone) for name, s in steps.items()
        }
        self.batches: dict[str, Kinds] = {
            name: set(s.signature.gives_listed)
            for name, s in steps.items()
            if s.signature.gives_lists
        }
        self.outside: Kinds = {
            e for s in steps.values() for e in s.takes if issubclass(e, FROM_OUTSIDE)
        }
        for step in steps.values():
            if step.signature.context_parameter:  # what it sends, rather than returns, is outside
                self.outside.update(step.gives)
        while self._grows():
            pass
        self.collectors = {name: tuple(self._collecting(name)) for name in self.batches}

    def _grows(self) -> bool:
        """Follow each event one step further; whether that has led anywhere."""
        known = self._size()
        for name, step in self._steps.items():
            if name in self.batches:
                for collector in self._collecting(name):
                    self._back[name] |= self._back[collector]
            if name in self._handlers:
                self._back[name] |= self._back[self._handlers[name]]
            if not step.signature.collects:
                for level in [self.outside, *self.batches.values()]:
                    if any(map(step.accepts, level)):
                        level.update(self._back[name])
        return self._size() > known

    def _collecting(self, producer: str) -> Iterable[str]:
        level = self.batches[producer]
        for name, step in self._steps.items():
            if step.signature.collects and any(map(step.accepts, level)):
                yield name

    def _size(self) -> int:
        levels = [self.outside, *self._back.values(), *self.batches.values()]
        return sum(len(level) for level in levels)


def handlers(steps: Mapping[str, Step]) -> dict[str, str]:
    """By step, the one that catches its failures."""
    found: dict[str, str] = {}
    catching = [(name, step.catches) for name, step in steps.items() if step.catches]
    # The one for all steps comes last: it gets what no other has named.
    for handler, catches in sorted(catching, key=lambda each: each[1].for_steps is None):
        for name in steps if catches.for_steps is None else catches.for_steps:
            if name in steps and not steps[name].catches:
                found.setdefault(name, handler)
    return found
