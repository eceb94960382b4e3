"""Reruns: of a run's last step, however many checkpoints stand before it."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass

from tests.benchmarks import table
from tests.benchmarks.durable.contestants import DATABASES, OURS, PEERS, Database
from tests.benchmarks.durable.stage import Stage
from tests.benchmarks.durable.steps import workers
from tests.benchmarks.measuring import Ask, Measured, take_turns
from tests.benchmarks.processes import LeftOut, Worker
from tests.benchmarks.results import Result, Say

SIZES = (10, 1_000, 10_000)
NAMES = [OURS.name, *(peer.name for peer in PEERS)]
RATIOS = [(peer.name, OURS.name) for peer in PEERS]


@dataclass(frozen=True, slots=True)
class Cell:
    """A run of so many steps."""

    database: Database
    steps: int

    def __str__(self) -> str:
        return f"after {self.steps:,}"


async def run(stage: Stage, quick: bool, say: Say) -> Result:
    """From asking for the rerun to its end: one step is executed, and its checkpoint committed."""
    sizes, rounds, limit = (SIZES[:2], 5, 20.0) if quick else (SIZES, 30, 120.0)
    everything: list[Measured[Cell]] = []
    async with workers(stage) as made:
        asked = [worker for worker in made if worker.name in NAMES]
        for kind in DATABASES:
            cells = [Measured(Cell(kind, steps)) for steps in sizes]
            await measure_all(stage, cells, asked, rounds, limit, say)
            everything += cells
    return Result(
        [
            part
            for kind in DATABASES
            for part in table.tables(
                [m for m in everything if m.cell.database == kind], NAMES, RATIOS, f"rerun, {kind}"
            )
        ],
        {
            "cells": [
                {
                    "database": measured.cell.database,
                    "steps": measured.cell.steps,
                    "microseconds": {name: measured.microseconds(name) for name in measured.rounds},
                    "rounds": measured.rounds,
                    "left_out": measured.left_out,
                }
                for measured in everything
            ]
        },
    )


async def measure_all(
    stage: Stage,
    cells: list[Measured[Cell]],
    asked: list[Worker],
    rounds: int,
    limit: float,
    say: Say,
) -> None:
    """The runs of a contestant are all in one database."""
    kind = cells[0].cell.database
    with ExitStack() as stack:
        for worker in asked:
            say(f"reruns, {kind}: {worker.name} makes the runs")
            url = stack.enter_context(stage.database(kind))
            await _prepare(worker, url, cells, limit)
        for measured in cells:
            say(f"reruns, {kind}: {measured.cell}")
            asks = {worker.name: _asked(worker, measured.cell, limit) for worker in asked}
            await take_turns(measured, asks, rounds, share=limit / 6)
        for worker in asked:
            with suppress(LeftOut):
                await worker.ask({"do": "close"}, limit)


async def _prepare(worker: Worker, url: str, cells: list[Measured[Cell]], limit: float) -> None:
    why: str | None = None
    for measured in cells:
        try:
            if why is None:
                if measured is cells[0]:
                    await worker.ask({"do": "open", "url": url}, limit)
                steps = measured.cell.steps
                await worker.ask({"do": "make", "steps": steps}, limit)
                await worker.ask({"do": "rerun", "steps": steps}, limit)  # to warm up
        except LeftOut as reason:
            why = str(reason)
        if why is not None:
            measured.left_out[worker.name] = why


def _asked(worker: Worker, cell: Cell, limit: float) -> Ask:
    async def ask() -> tuple[float, float]:
        seconds = (await worker.ask({"do": "rerun", "steps": cell.steps}, limit))["seconds"]
        return seconds, seconds * 1e6

    return ask
