"""Batch levels: the types of event within each batch, and those outside of all batches.

A batch is all that comes of one returned list before a step collects the list.
"""

from collections.abc import Iterator, Mapping

from cairn.engine.language.consumers import Consumers
from cairn.engine.language.events import Event, HumanResponseEvent, StartEvent, StepFailedEvent
from cairn.engine.language.steps import Step

EventTypes = set[type[Event]]

FROM_OUTSIDE = (StartEvent, HumanResponseEvent, StepFailedEvent)
"""Types of event that need no step as their source: a caller, a person or the engine is one."""


class BatchLevels:
    """The types of event that can meet: within one batch, or outside of all batches.

    Attributes:
        batches: by step that returns lists, the types of event in its batches.
        outside: the types of event outside of all batches.
        collectors: by step that returns lists, the names of the steps that collect from its
            batches.
    """

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._consumers = Consumers(steps.values())
        self._handlers = handlers(steps)
        self._collecting = [step for step in steps.values() if step.signature.collects]
        # By step, the types of event that it adds to the level on which it is started.
        self._outputs: dict[str, EventTypes] = {
            name: set(step.signature.gives_alone) for name, step in steps.items()
        }
        self.batches: dict[str, EventTypes] = {
            name: set(step.signature.gives_listed)
            for name, step in steps.items()
            if step.signature.gives_lists
        }
        self.outside: EventTypes = {
            e for s in steps.values() for e in s.takes if issubclass(e, FROM_OUTSIDE)
        }
        for step in steps.values():
            if step.signature.context_parameter:  # sent events, unlike returned ones, are outside
                self.outside.update(step.gives)
        self._spread()
        while self._grow():
            self._spread()
        self.collectors = {name: tuple(self._bound(name)) for name in self.batches}

    def _spread(self) -> None:
        """Add to each level the outputs of the steps that its events start."""
        for level in [self.outside, *self.batches.values()]:
            ahead = list(level)
            while ahead:
                for step in self._consumers.of_type(ahead.pop()):
                    if not step.signature.collects:
                        new = self._outputs[step.name] - level
                        level |= new  # noqa: PLW2901  # the set itself grows
                        ahead += new

    def _grow(self) -> bool:
        """Add to each step's output the outputs of its collectors and its error handler.

        Return True if a set grew: call again.
        """
        known = sum(len(kinds) for kinds in self._outputs.values())
        for name in self.batches:
            for collector in self._bound(name):
                self._outputs[name] |= self._outputs[collector]
        for name, handler in self._handlers.items():
            self._outputs[name] |= self._outputs[handler]
        return sum(len(kinds) for kinds in self._outputs.values()) > known

    def _bound(self, producer: str) -> Iterator[str]:
        level = self.batches[producer]
        for step in self._collecting:
            if any(map(step.accepts, level)):
                yield step.name


def handlers(steps: Mapping[str, Step]) -> dict[str, str]:
    """Return, by step, the name of the `@catch_error` step that catches its failures."""
    found: dict[str, str] = {}
    catching = [(name, step.catches) for name, step in steps.items() if step.catches]
    # The handler of all steps comes last: it gets the steps that no `for_steps` has named.
    for handler, catches in sorted(catching, key=lambda each: each[1].for_steps is None):
        for name in steps if catches.for_steps is None else catches.for_steps:
            if name in steps and not steps[name].catches:
                found.setdefault(name, handler)
    return found
