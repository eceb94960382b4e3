"""Levels: which events come of one returned list before it is collected, and which of no list."""

from collections.abc import Iterator, Mapping

from cairn.engine.language.consumers import Takers
from cairn.engine.language.events import Event, HumanResponseEvent, StartEvent, StepFailedEvent
from cairn.engine.language.steps import Step

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
        self._takers = Takers(steps.values())
        self._handlers = handlers(steps)
        self._collecting = [step for step in steps.values() if step.signature.collects]
        # What a step gives to the level on which it is started.
        self._back: dict[str, Kinds] = {
            name: set(step.signature.gives_alone) for name, step in steps.items()
        }
        self.batches: dict[str, Kinds] = {
            name: set(step.signature.gives_listed)
            for name, step in steps.items()
            if step.signature.gives_lists
        }
        self.outside: Kinds = {
            e for s in steps.values() for e in s.takes if issubclass(e, FROM_OUTSIDE)
        }
        for step in steps.values():
            if step.signature.context_parameter:  # what it sends, rather than returns, is outside
                self.outside.update(step.gives)
        self._spread()
        while self._grow():
            self._spread()
        self.collectors = {name: tuple(self._bound(name)) for name in self.batches}

    def _spread(self) -> None:
        """Follow the events of each level to all that comes of them there."""
        for level in [self.outside, *self.batches.values()]:
            ahead = list(level)
            while ahead:
                for step in self._takers.of(ahead.pop()):
                    if not step.signature.collects:
                        new = self._back[step.name] - level
                        level |= new  # noqa: PLW2901  # the set itself grows
                        ahead += new

    def _grow(self) -> bool:
        """Add to each step's output the outputs of its collectors and its error handler.

        Returns:
            True if a set has grown: then call again.
        """
        known = sum(len(kinds) for kinds in self._back.values())
        for name in self.batches:
            for collector in self._bound(name):
                self._back[name] |= self._back[collector]
        for name, handler in self._handlers.items():
            self._back[name] |= self._back[handler]
        return sum(len(kinds) for kinds in self._back.values()) > known

    def _bound(self, producer: str) -> Iterator[str]:
        level = self.batches[producer]
        for step in self._collecting:
            if any(map(step.accepts, level)):
                yield step.name


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
