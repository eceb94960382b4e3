"""The tables, as Markdown that a terminal can show: ratios first, then microseconds per step."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from tests.benchmarks.contestants import CONTESTANTS, FLOOR, OURS, PEERS
from tests.benchmarks.measuring import Measured

RATIOS = ((OURS.name, FLOOR.name), *((peer.name, OURS.name) for peer in PEERS))


def show(console: Console, everything: Sequence[Measured]) -> None:
    """Print what was measured, and why something was not."""
    times = [contestant.name for contestant in CONTESTANTS]
    ratios = _table([f"{one} / {other}" for one, other in RATIOS])
    microseconds = _table([f"{name}, µs" for name in times])
    for measured in everything:
        ratios.add_row(str(measured.cell), *(_number(measured.ratio(*pair)) for pair in RATIOS))
        microseconds.add_row(
            str(measured.cell), *(_number(measured.microseconds(name)) for name in times)
        )
    for part in (ratios, microseconds, *_left_out(everything)):
        console.print(part)


def _table(columns: Sequence[str]) -> Table:
    table = Table("per step", box=box.MARKDOWN)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _number(value: float | None) -> str:
    """Three digits are as many as the noise leaves."""
    if value is None:
        return "left out"
    return f"{value:,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _left_out(everything: Sequence[Measured]) -> Iterator[str]:
    cells: dict[tuple[str, str], list[str]] = {}
    for measured in everything:
        for why in measured.left_out.items():
            cells.setdefault(why, []).append(str(measured.cell))
    for (name, reason), which in cells.items():
        yield f"Left out: {name}, {', '.join(which)}: {reason}."
