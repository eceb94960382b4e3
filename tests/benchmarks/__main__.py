"""`make bench`: measure what is named, or all there is."""

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tests.benchmarks import engine
from tests.benchmarks.durable import parts
from tests.benchmarks.results import Result, Say

NAMES = ("engine", *parts.PARTS)


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(help=f"What to measure: {', '.join(NAMES)}; durable is all but the first."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A look: smaller sizes, fewer rounds, noisier.")
    ] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write every round to this file, too.")
    ] = None,
) -> None:
    """Measure Cairn beside the least that it could cost, and beside its peers."""
    wanted = _wanted(names or NAMES)
    # So that servers are stopped and files removed when this is told to end, too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    console = Console(highlight=False)
    # Where nobody looks, lines are long enough for the tables to stay Markdown.
    console.width = console.width if console.is_terminal else 120
    data: dict[str, Any] = {}
    with Console(stderr=True).status("") as status:
        for name, result in _results(wanted, quick, status.update):
            for shown in result.shown:
                console.print(shown)
            data[name] = result.data
            if json_path is not None:
                json_path.write_text(json.dumps(data, indent=1) + "\n")


def _results(wanted: list[str], quick: bool, say: Say) -> Iterator[tuple[str, Result]]:
    if "engine" in wanted:
        yield "engine", engine.run(quick, say)
    if others := [name for name in wanted if name != "engine"]:
        yield from parts.run(others, quick, say)


def _wanted(names: Sequence[str]) -> list[str]:
    wanted = [one for name in names for one in (parts.PARTS if name == "durable" else [name])]
    if unknown := set(wanted) - set(NAMES):
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: there are {', '.join(NAMES)}.")
    return wanted


if __name__ == "__main__":
    typer.run(main)
