"""Durable steps: how long one takes in one run, and in many at once, with little state and much."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from tests.benchmarks import table
from tests.benchmarks.durable.contestants import (
    CONTESTANTS,
    DATABASES,
    FLOORS,
    OURS,
    PEERS,
    Database,
)
from tests.benchmarks.durable.load import Load
from tests.benchmarks.durable.stage import Stage
from tests.benchmarks.measuring import Ask, Measured, take_turns
from tests.benchmarks.processes import LeftOut, Worker
from tests.benchmarks.results import Result, Say

NAMES = [contestant.name for contestant in CONTESTANTS]
RATIOS = [
    *((OURS.name, floor.name) for floor in FLOORS),
    *((peer.name, OURS.name) for peer in PEERS),
]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much time is spent: rounds of a cell, seconds of it for each, and for one round."""

    rounds: int
    share: float
    limit: float


FULL = Effort(rounds=9, share=4, limit=40)
QUICK = Effort(rounds=3, share=0.4, limit=15)

SMALL = [Load(100), Load(20, 16), Load(20, 64), Load(10, 256)]
LARGE = [
    Load(steps, runs, size, touched)
    for size in (100_000, 1_000_000)
    for touched in (False, True)
    for steps, runs in ((20, 1), (10, 16), (5, 64))
    if size * steps * runs < 200_000_000
]
TOUCHED = [Load(100, touched=True), Load(20, 64, touched=True)]
LOADS = (*SMALL, *TOUCHED, *LARGE)
LOADS_QUICK = (
    *SMALL[:3],
    Load(10, 1, 1_000_000, touched=False),
    Load(10, 1, 1_000_000, touched=True),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A load on a kind of database."""

    database: Database
    load: Load

    def __str__(self) -> str:
        return str(self.load)


async def run(stage: Stage, quick: bool, say: Say) -> Result:
    """Measure the time per step, on both databases."""
    loads, effort = (LOADS_QUICK, QUICK) if quick else (LOADS, FULL)
    everything = []
    async with workers(stage) as all_of_them:
        for kind in DATABASES:
            for load in loads:
                say(f"steps, {kind}: {load}")
                everything.append(await measure(stage, Cell(kind, load), all_of_them, effort))
    shown = [
        part
        for kind in DATABASES
        for part in table.tables(_of(kind, everything), NAMES, RATIOS, f"step, {kind}")
    ]
    return Result(shown, {"cells": [data(measured) for measured in everything]})


@asynccontextmanager
async def workers(stage: Stage) -> AsyncIterator[list[Worker]]:
    """A process for each contestant, ended in the end."""
    async with AsyncExitStack() as stack:
        made = []
        for name, python in stage.pythons.items():
            worker = Worker(name, python, "tests.benchmarks.durable.worker", quiet=True)
            stack.push_async_callback(worker.stop)
            made.append(worker)
        yield made


async def measure(
    stage: Stage, cell: Cell, asked: Sequence[Worker], effort: Effort
) -> Measured[Cell]:
    """Each on an empty database of its own, in turns."""
    measured: Measured[Cell] = Measured(cell)
    with ExitStack() as stack:
        for worker in asked:
            url = stack.enter_context(stage.database(cell.database))
            try:
                await worker.ask({"do": "open", "url": url}, effort.limit)
                await worker.ask(_question(_warm_up(cell.load)), effort.limit)
            except LeftOut as reason:
                measured.left_out[worker.name] = str(reason)
        asks = {worker.name: _asked(worker, cell.load, effort.limit) for worker in asked}
        await take_turns(measured, asks, effort.rounds, effort.share)
        for worker in asked:
            with suppress(LeftOut):
                await worker.ask({"do": "close"}, effort.limit)
    return measured


def _asked(worker: Worker, load: Load, limit: float) -> Ask:
    async def ask() -> tuple[float, float]:
        seconds = (await worker.ask(_question(load), limit))["seconds"]
        return seconds, seconds / load.executions * 1e6

    return ask


def _question(load: Load) -> dict[str, Any]:
    return {"do": "run", **asdict(load)}


def _warm_up(load: Load) -> Load:
    return replace(load, steps=min(load.steps, 5), runs=min(load.runs, 64))


def data(measured: Measured[Cell]) -> dict[str, object]:
    """Every round, and what they come to."""
    return {
        "database": measured.cell.database,
        **asdict(measured.cell.load),
        "ratios": {f"{a} / {b}": measured.ratio(a, b) for a, b in RATIOS},
        "microseconds": {name: measured.microseconds(name) for name in measured.rounds},
        "rounds": measured.rounds,
        "left_out": measured.left_out,
    }


def _of(kind: Database, everything: Sequence[Measured[Cell]]) -> list[Measured[Cell]]:
    return [measured for measured in everything if measured.cell.database == kind]
