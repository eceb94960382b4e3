"""The engine alone, without storage, beside the floor and its peers."""

import asyncio
import os
import platform
from contextlib import AsyncExitStack
from dataclasses import asdict
from typing import Any

from cairn import __version__
from tests.benchmarks import table
from tests.benchmarks.cells import CELLS, Cell
from tests.benchmarks.contestants import CONTESTANTS, FLOOR
from tests.benchmarks.environments import python_of
from tests.benchmarks.measuring import Effort, Measured, measure
from tests.benchmarks.processes import Worker
from tests.benchmarks.results import Result, Say

FULL = Effort(rounds=15, steps=1_000, share=3, limit=30)
QUICK = Effort(rounds=3, steps=200, share=0.3, limit=5)


def run(quick: bool, say: Say) -> Result:
    """Measure the engine alone, per step, beside a bare asyncio queue and other engines."""
    cells = [cell for cell in CELLS if cell.size < 10_000] if quick else list(CELLS)
    effort = QUICK if quick else FULL
    everything = asyncio.run(_measure_all(cells, effort, say))
    heading = f"{_versions()}\nMedians of up to {effort.rounds} rounds, taken in turns."
    return Result([heading, *table.of_engine(everything)], _report(everything, effort))


async def _measure_all(cells: list[Cell], effort: Effort, say: Say) -> list[Measured[Cell]]:
    everything = []
    async with AsyncExitStack() as stack:
        say("installing the peers")
        workers = [Worker(c.name, python_of(*c.requirements)) for c in CONTESTANTS]
        for worker in workers:
            stack.push_async_callback(worker.stop)
        say(f"measuring the {cells[0]}")
        async for measured in measure(cells, workers, effort):
            everything.append(measured)
            say(f"measured the {measured.cell}")
    return everything


def _versions() -> str:
    versions = ", ".join(f"{c.name} {c.version or __version__}" for c in CONTESTANTS if c != FLOOR)
    return f"{versions}, on Python {platform.python_version()}, {os.cpu_count()} cores"


def _report(everything: list[Measured[Cell]], effort: Effort) -> dict[str, Any]:
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
