"""Consumers: the steps that take events of a type, by lookup rather than by search."""

from collections import defaultdict
from collections.abc import Iterable

from cairn.engine.language.events import Event
from cairn.engine.language.steps import Step


class Consumers:
    """The steps of a workflow by the types of event that they take."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self._place: dict[str, int] = {}
        self._exact: defaultdict[type[Event], list[Step]] = defaultdict(list)
        self._of_subclasses: list[Step] = []
        for place, step in enumerate(steps):
            self._place[step.name] = place
            for kind in step.takes:
                self._exact[kind].append(step)
            if step.accepts_subclasses:
                self._of_subclasses.append(step)

    def of_type(self, kind: type[Event]) -> list[Step]:
        """Return the steps that take events of this type, in the order of their definition."""
        exact = self._exact.get(kind, [])
        more = [s for s in self._of_subclasses if s.accepts(kind) and s not in exact]
        return sorted([*exact, *more], key=lambda s: self._place[s.name]) if more else exact
