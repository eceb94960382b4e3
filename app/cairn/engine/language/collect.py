"""Collect: the number of events with which a step that takes a list starts."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cardinality:
    """Base of `All` and `Take`, the number of events of a batch that a step waits for."""


@dataclass(frozen=True)
class All(Cardinality):
    """All events of the batch: the step starts once no event of the batch is pending.

    The events come in the order of the returned list. Events that come of the same list item are in
    the order of their arrival.
    """


@dataclass(frozen=True)
class Take(Cardinality):
    """The first `n` events to arrive.

    The step starts with the last of them, or with fewer if the batch ends before. Later events of
    the batch are dropped.

    Attributes:
        n: the number of events, 1 or more.

    Raises:
        ValueError: `n` is not a whole number of 1 or more.
    """

    n: int

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or isinstance(self.n, bool) or self.n < 1:
            raise ValueError(f"Take(n) needs a whole number of 1 or more, not {self.n!r}.")


@dataclass(frozen=True)
class Collect:
    """Annotates a list parameter with the number of events that start its step.

        @step
        async def first(self, ev: Annotated[list[Result], Collect(Take(1))]) -> StopEvent: ...

    A plain `list[Result]` is `Collect(All())`. Lists as parameters and returns have the meaning of
    fan-in and fan-out in LlamaIndex Workflows.

    Attributes:
        cardinality: `All()`, the default, or `Take(n)`.
    """

    cardinality: Cardinality = field(default_factory=All)
