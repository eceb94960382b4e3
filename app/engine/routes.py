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
    """

    steps: tuple[str, ...] = ()
    slots: tuple[tuple[str, tuple[str, ...]], ...] = ()
    collectors: tuple[str, ...] = ()
    stops: bool = False
    shown: bool = False


class Routes(dict[str, Route]):
    """The route of each type of event, by the type's name.

    Attributes:
        joins: by step with several event parameters, these, in their order.
        takes: by step that takes a list, how many events it takes; `None` is all of a batch.
        bound: by step that returns lists, the steps that collect what comes of them.
    """

    def __init__(
        self,
        find: Callable[[str], Route],
        joins: Mapping[str, tuple[str, ...]],
        takes: Mapping[str, int | None],
        bound: Mapping[str, tuple[str, ...]],
    ) -> None:
        super().__init__()
        self._find = find
        self.joins = joins
        self.takes = takes
        self.bound = bound

    def __missing__(self, event_type: str) -> Route:
        route = self[event_type] = self._find(event_type)
        return route
