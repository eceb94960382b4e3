"""Rounds, taken in turns so that a noisy moment hits all alike, and what they come to."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Generic, TypeVar

from tests.benchmarks.cells import Cell
from tests.benchmarks.processes import LeftOut, Worker

Ask = Callable[[], Awaitable[tuple[float, float]]]
"""One round: how many seconds it took, and what is shown of it."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time is spent.

    Attributes:
        rounds: how many rounds a cell has.
        steps: how many steps a round has at least; small runs are repeated to come to as many.
        share: how many seconds of a cell each contestant has; one that is slow has fewer rounds.
        limit: how many seconds a contestant may take for one round, or for its warm-up.
    """

    rounds: int
    steps: int
    share: float
    limit: float


C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Measured(Generic[C]):
    """What was measured of a cell.

    Attributes:
        rounds: by contestant, microseconds per step in each of its rounds.
        left_out: why others have none.
    """

    cell: C
    rounds: dict[str, list[float]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def microseconds(self, name: str) -> float | None:
        """The median of its rounds, in microseconds per step."""
        return median(self.rounds[name]) if self.rounds.get(name) else None

    def ratio(self, name: str, to: str) -> float | None:
        """How many times as long the one takes as the other.

        The median over the rounds of their ratio in each: both were asked within one moment.
        """
        pairs = zip(self.rounds.get(name, []), self.rounds.get(to, []), strict=False)
        ratios = [one / other for one, other in pairs]
        return median(ratios) if ratios else None


async def measure(
    cells: Iterable[Cell], workers: Sequence[Worker], effort: Effort
) -> AsyncIterator[Measured[Cell]]:
    """Measure cell after cell; of each shape, the smaller ones come first."""
    before: Measured[Cell] | None = None
    for cell in cells:
        measured = Measured(cell)
        if before is not None and before.cell.shape == cell.shape:
            measured.left_out.update(_foreseen(before, cell, effort.limit))
        await _measure(measured, workers, effort)
        yield measured
        before = measured


async def _measure(measured: Measured[Cell], workers: Sequence[Worker], effort: Effort) -> None:
    cell = measured.cell
    runs = -(-effort.steps // cell.steps)

    def asked(worker: Worker) -> Ask:
        async def ask() -> tuple[float, float]:
            seconds = await worker.seconds(cell, runs, effort.limit)
            return seconds, seconds / (runs * cell.steps) * 1e6

        return ask

    asks = {worker.name: asked(worker) for worker in workers}
    for name, ask in asks.items():
        await _try(measured, name, ask)  # to warm up
    await take_turns(measured, asks, effort.rounds, effort.share)


async def take_turns(
    measured: Measured[Any], asks: Mapping[str, Ask], rounds: int, share: float
) -> None:
    """Ask one after the other, as many rounds, who is not left out; note what they say.

    Args:
        asks: by name, what asks for one round.
        share: who has taken as many seconds has no more rounds.
    """
    spent = dict.fromkeys(asks, 0.0)
    names = list(asks)
    for number in range(rounds):
        first = number % len(names)  # nobody always comes after the same
        for name in (*names[first:], *names[:first]):
            if name in measured.left_out or spent[name] >= share:
                continue
            if (said := await _try(measured, name, asks[name])) is not None:
                spent[name] += said[0]
                measured.rounds.setdefault(name, []).append(said[1])


async def _try(measured: Measured[Any], name: str, ask: Ask) -> tuple[float, float] | None:
    if name in measured.left_out:
        return None
    try:
        return await ask()
    except LeftOut as reason:
        measured.rounds.pop(name, None)
        measured.left_out[name] = str(reason)
        return None


def _foreseen(before: Measured[Cell], cell: Cell, limit: float) -> dict[str, str]:
    """Who need not be asked, and why: more of the same steps is no easier."""
    left_out = dict(before.left_out)
    for name in before.rounds:
        each = before.microseconds(name)
        assert each is not None
        if each * cell.steps / 1e6 > limit:
            took = each * before.cell.steps / 1e6
            left_out[name] = f"takes more than {limit:g} s: a {before.cell} took {took:.1f} s"
    return left_out
