"""Routes: where the events of each type go."""

from collections.abc import Callable, Mapping
from typing import NamedTuple


class Route(NamedTuple):
    """The ways of the events of one type.

    Attributes:
        steps: the steps that each event starts.
        slots: by step with several event parameters, the parameters that take the type.
        collectors: the steps that take the events as a list.
        stops: true if an event ends the run.
        shown: true if watchers see the events: a question, or the end of the run.
        answers: true if the type is a person's answer.
    """

    steps: tuple[str, ...] = ()
    slots: tuple[tuple[str, tuple[str, ...]], ...] = ()
    collectors: tuple[str, ...] = ()
    stops: bool = False
    shown: bool = False
    answers: bool = False

    @property
    def asks(self) -> bool:
        """True if the type is a question to a person."""
        return self.shown and not self.stops

    @property
    def starts(self) -> bool:
        """True if any step takes an event of the type from outside."""
        return bool(self.steps or self.slots)


class Routes(dict[str, Route]):
    """The route of each type of event, by the type's name.

    Attributes:
        joins: by step with several event parameters, these parameters, in their order.
        takes: by step that takes a list, the number of events; `None` is all of a batch.
        bound: by step that returns lists, the steps that collect the results.
        answers: the types of a person's answer that steps take.
    """

    def __init__(
        self,
        find: Callable[[str], Route],
        joins: Mapping[str, tuple[str, ...]],
        takes: Mapping[str, int | None],
        bound: Mapping[str, tuple[str, ...]],
        answers: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self._find = find
        self.joins = joins
        self.takes = takes
        self.bound = bound
        self.answers = answers

    def __missing__(self, event_type: str) -> Route:
        route = self[event_type] = self._find(event_type)
        return route
