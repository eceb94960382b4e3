"""Collect: how many events a step with a list for a parameter waits for."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cardinality:
    """How many events of a batch a step waits for: `All()` or `Take(n)`."""


@dataclass(frozen=True)
class All(Cardinality):
    """All events of the batch: the step starts once nothing of the batch is pending.

    The events come in the order of the returned list; several that come of one member, in the order
    of arrival.
    """


@dataclass(frozen=True)
class Take(Cardinality):
    """The first `n` events to arrive.

    The step starts with the last of these, or with fewer at the end of the batch. Later events go
    nowhere.

    Raises:
        ValueError: `n` is not a whole number of 1 or more.
    """

    n: int

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or isinstance(self.n, bool) or self.n < 1:
            raise ValueError(f"Take(n) needs a whole number of 1 or more, not {self.n!r}.")


@dataclass(frozen=True)
class Collect:
    """Says of a list parameter when its step starts, and with how many events.

        @step
        async def first(self, ev: Annotated[list[Result], Collect(Take(1))]) -> StopEvent: ...

    A parameter `list[Result]` without it is `Collect(All())`.
    """

    cardinality: Cardinality = field(default_factory=All)
