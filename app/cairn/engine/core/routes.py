"""Routes: where the events of each type go."""

from collections.abc import Callable, Mapping
from typing import NamedTuple


class Route(NamedTuple):
    """Where the events of one type go.

    Attributes:
        steps: those that each of them starts.
        slots: by step with several event parameters, the parameters that it fits.
        collectors: the steps that take them as a list.
        stops: whether it ends the run.
        shown: whether it goes to whoever watches the run: a question, or what ends it.
        answers: whether it is a person's answer.
    """

    steps: tuple[str, ...] = ()
    slots: tuple[tuple[str, tuple[str, ...]], ...] = ()
    collectors: tuple[str, ...] = ()
    stops: bool = False
    shown: bool = False
    answers: bool = False

    @property
    def asks(self) -> bool:
        """Whether it is a question to a person."""
        return self.shown and not self.stops

    @property
    def starts(self) -> bool:
        """Whether an event from outside is taken by any step."""
        return bool(self.steps or self.slots)


class Routes(dict[str, Route]):
    """The route of each type of event, by the type's name.

    Attributes:
        joins: by step with several event parameters, these, in their order.
        takes: by step that takes a list, how many events it takes; `None` is all of a batch.
        bound: by step that returns lists, the steps that collect what comes of them.
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
