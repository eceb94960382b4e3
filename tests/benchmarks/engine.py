"""`make bench`: the engine alone, without storage, beside the floor and its peers."""

import asyncio
import json
import os
import platform
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from app import __version__
from tests.benchmarks import table
from tests.benchmarks.cells import CELLS, Cell
from tests.benchmarks.contestants import CONTESTANTS, FLOOR
from tests.benchmarks.environments import python_of
from tests.benchmarks.measuring import Effort, Measured, measure
from tests.benchmarks.processes import Worker

FULL = Effort(rounds=15, steps=1_000, share=3, limit=30)
QUICK = Effort(rounds=3, steps=200, share=0.3, limit=5)


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="A look in half a minute: nothing above 1,000 steps.")
    ] = False,
    json_path: Annotated[
        Path | None, typer.Option("--json", help="Write every round to this file, too.")
    ] = None,
) -> None:
    """Measure the engine alone, per step, beside a bare asyncio queue and other engines."""
    cells = [cell for cell in CELLS if cell.size < 10_000] if quick else list(CELLS)
    effort = QUICK if quick else FULL
    everything = asyncio.run(_measure_all(cells, effort))
    console = Console(highlight=False)
    # Where nobody looks, lines are long enough for the tables to stay Markdown.
    console.width = console.width if console.is_terminal else 120
    console.print(f"{_versions()}\nMedians of up to {effort.rounds} rounds, taken in turns.")
    table.show(console, everything)
    if json_path is not None:
        json_path.write_text(json.dumps(_report(everything, effort), indent=1) + "\n")


async def _measure_all(cells: list[Cell], effort: Effort) -> list[Measured]:
    everything = []
    async with AsyncExitStack() as stack:
        with Console(stderr=True).status("installing the peers") as status:
            workers = [Worker(c, python_of(c)) for c in CONTESTANTS]
            for worker in workers:
                stack.push_async_callback(worker.stop)
            status.update(f"measuring the {cells[0]}")
            async for measured in measure(cells, workers, effort):
                everything.append(measured)
                status.update(f"measured the {measured.cell}")
    return everything


def _versions() -> str:
    versions = ", ".join(f"{c.name} {c.version or __version__}" for c in CONTESTANTS if c != FLOOR)
    return f"{versions}, on Python {platform.python_version()}, {os.cpu_count()} cores"


def _report(everything: list[Measured], effort: Effort) -> dict[str, Any]:
    return {
        "versions": _versions(),
        "effort": asdict(effort),
        "cells": [
            {
                **asdict(measured.cell),
                "steps": measured.cell.steps,
                "ratios": {f"{a} / {b}": measured.ratio(a, b) for a, b in table.RATIOS},
                "microseconds": {n: measured.microseconds(n) for n in measured.rounds},
                "rounds": measured.rounds,
                "left_out": measured.left_out,
            }
            for measured in everything
        ],
    }


if __name__ == "__main__":
    typer.run(main)
