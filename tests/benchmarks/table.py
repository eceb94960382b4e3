"""The tables, as Markdown that a terminal can show: ratios first, then microseconds per step."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.table import Table

from tests.benchmarks.cells import Cell
from tests.benchmarks.contestants import CONTESTANTS, FLOOR, OURS, PEERS
from tests.benchmarks.measuring import Measured

RATIOS = ((OURS.name, FLOOR.name), *((peer.name, OURS.name) for peer in PEERS))


def of_engine(everything: Sequence[Measured[Cell]]) -> Iterator[Table | str]:
    """What was measured of the engines, and why something was not."""
    yield from tables(everything, [contestant.name for contestant in CONTESTANTS], RATIOS)


def tables(
    everything: Sequence[Measured[Any]],
    names: Sequence[str],
    ratios: Sequence[tuple[str, str]],
    title: str = "per step",
) -> Iterator[Table | str]:
    """The ratios, the times in microseconds, and why something was left out."""
    of_ratios = table(title, *(f"{one} / {other}" for one, other in ratios))
    times = table(title, *(f"{name}, µs" for name in names))
    for measured in everything:
        of_ratios.add_row(str(measured.cell), *(number(measured.ratio(*pair)) for pair in ratios))
        times.add_row(str(measured.cell), *(number(measured.microseconds(n)) for n in names))
    yield of_ratios
    yield times
    yield from _left_out(everything)


def table(title: str, *columns: str) -> Table:
    """An empty one, whose first column has the title."""
    made = Table(title, box=box.MARKDOWN)
    for column in columns:
        made.add_column(column, justify="right", no_wrap=True)
    return made


def number(value: float | None) -> str:
    """Three digits are as many as the noise leaves."""
    if value is None:
        return "left out"
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _left_out(everything: Sequence[Measured[Any]]) -> Iterator[str]:
    cells: dict[tuple[str, str], list[str]] = {}
    for measured in everything:
        for why in measured.left_out.items():
            cells.setdefault(why, []).append(str(measured.cell))
    for (name, reason), which in cells.items():
        yield f"Left out: {name}, {', '.join(which)}: {reason}."
