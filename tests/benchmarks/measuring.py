"""Rounds, taken in turns so that a noisy moment hits all alike, and what they come to."""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.benchmarks.cells import Cell
from tests.benchmarks.processes import LeftOut, Worker


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


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a cell.

    Attributes:
        rounds: by contestant, microseconds per step in each of its rounds.
        left_out: why others have none.
    """

    cell: Cell
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
) -> AsyncIterator[Measured]:
    """Measure cell after cell; of each shape, the smaller ones come first."""
    before: Measured | None = None
    for cell in cells:
        measured = Measured(cell)
        if before is not None and before.cell.shape == cell.shape:
            measured.left_out.update(_foreseen(before, cell, effort.limit))
        await _measure(measured, workers, effort)
        yield measured
        before = measured


async def _measure(measured: Measured, workers: Sequence[Worker], effort: Effort) -> None:
    cell = measured.cell
    runs = -(-effort.steps // cell.steps)
    spent = dict.fromkeys((w.name for w in workers), 0.0)

    async def ask(worker: Worker) -> float | None:
        try:
            return await worker.seconds(cell, runs, effort.limit)
        except LeftOut as reason:
            measured.rounds.pop(worker.name, None)
            measured.left_out[worker.name] = str(reason)
            return None

    for worker in workers:
        if worker.name not in measured.left_out:
            await ask(worker)  # to warm up
    for number in range(effort.rounds):
        first = number % len(workers)  # nobody always comes after the same
        for worker in (*workers[first:], *workers[:first]):
            if worker.name in measured.left_out or spent[worker.name] >= effort.share:
                continue
            if (seconds := await ask(worker)) is not None:
                spent[worker.name] += seconds
                each = seconds / (runs * cell.steps) * 1e6
                measured.rounds.setdefault(worker.name, []).append(each)


def _foreseen(before: Measured, cell: Cell, limit: float) -> dict[str, str]:
    """Who need not be asked, and why: more of the same steps is no easier."""
    left_out = dict(before.left_out)
    for name in before.rounds:
        each = before.microseconds(name)
        assert each is not None
        if each * cell.steps / 1e6 > limit:
            took = each * before.cell.steps / 1e6
            left_out[name] = f"takes more than {limit:g} s: a {before.cell} took {took:.1f} s"
    return left_out
