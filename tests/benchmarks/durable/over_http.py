"""Runs over HTTP: from the request that starts one of two steps to the answer that it has ended."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from rich.table import Table

from tests.benchmarks import table
from tests.benchmarks.durable.contestants import (
    CONTESTANTS,
    DATABASES,
    FLOORS,
    OURS,
    PEERS,
    Database,
)
from tests.benchmarks.durable.servers import Server, serving
from tests.benchmarks.durable.stage import Stage
from tests.benchmarks.measuring import Ask, Measured, take_turns
from tests.benchmarks.processes import LeftOut, Worker
from tests.benchmarks.results import Result, Say

NAMES = [contestant.name for contestant in CONTESTANTS]
RATIOS = [
    *((OURS.name, floor.name) for floor in FLOORS),
    *((peer.name, OURS.name) for peer in PEERS),
]
CONCURRENCY = (1, 16, 64)


@dataclass(frozen=True, slots=True)
class Effort:
    """How many rounds, of how many seconds each, and how long one may take to end."""

    rounds: int
    seconds: float
    limit: float


FULL = Effort(rounds=7, seconds=1.2, limit=30)
QUICK = Effort(rounds=3, seconds=0.7, limit=15)


@dataclass(frozen=True, slots=True)
class Cell:
    """So many runs at once, each of two steps."""

    database: Database
    concurrency: int

    def __str__(self) -> str:
        return f"{self.concurrency} at once"


@dataclass(slots=True)
class Answers:
    """What a contestant's answers took: all its latencies, and the client's own time for them."""

    latencies: list[float] = field(default_factory=list)
    processor: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A cell, and what was seen besides its rounds."""

    measured: Measured[Cell]
    answers: dict[str, Answers]


async def run(stage: Stage, quick: bool, say: Say) -> Result:
    """Measure on both databases."""
    effort = QUICK if quick else FULL
    everything: list[Asked] = []
    async with AsyncExitStack() as stack:
        client = Worker("client", Path(sys.executable), "tests.benchmarks.durable.client")
        stack.push_async_callback(client.stop)
        for kind in DATABASES:
            say(f"HTTP, {kind}")
            everything += await measure_all(stage, kind, CONCURRENCY, client, effort, say)
    return Result(
        [part for kind in DATABASES for part in _shown(kind, everything)],
        {"cells": [_data(asked) for asked in everything]},
    )


async def measure_all(
    stage: Stage,
    kind: Database,
    concurrencies: Sequence[int],
    client: Worker,
    effort: Effort,
    say: Say,
) -> list[Asked]:
    """All servers are there all the time; who is not asked has nothing to do."""
    out: dict[str, str] = {}
    servers: list[Server] = []
    async with AsyncExitStack() as stack:
        for name, python in stage.pythons.items():
            url = stack.enter_context(stage.database(kind))
            try:
                servers.append(await stack.enter_async_context(serving(name, python, url)))
            except LeftOut as reason:
                out[name] = str(reason)
        everything = []
        for concurrency in concurrencies:
            say(f"HTTP, {kind}, {concurrency} at once")
            asked = Asked(Measured(Cell(kind, concurrency), left_out=dict(out)), {})
            await _measure(asked, servers, client, effort)
            everything.append(asked)
    return everything


async def _measure(asked: Asked, servers: list[Server], client: Worker, effort: Effort) -> None:
    measured, concurrency = asked.measured, asked.measured.cell.concurrency
    asks: dict[str, Ask] = {}
    for server in servers:
        answers = asked.answers[server.name] = Answers()
        asks[server.name] = ask(server, concurrency, client, effort, answers)
        try:
            await client.ask(_question(server, concurrency, 0.3), effort.limit)  # to warm up
        except LeftOut as reason:
            measured.left_out[server.name] = str(reason)
    await take_turns(measured, asks, effort.rounds, share=float("inf"))


def ask(server: Server, concurrency: int, client: Worker, effort: Effort, answers: Answers) -> Ask:
    """What asks a server for a round of runs; its answers are added to these."""

    async def ask() -> tuple[float, float]:
        said = await client.ask(_question(server, concurrency, effort.seconds), effort.limit)
        answers.latencies += said["latencies"]
        answers.processor += said["processor"]
        return said["seconds"], said["seconds"] / len(said["latencies"]) * 1e6

    return ask


def _question(server: Server, concurrency: int, seconds: float) -> dict[str, Any]:
    asked = {"port": server.port, "concurrency": concurrency, "seconds": seconds}
    return {**asked, **server.two_steps(), "expected": "completed"}


def _shown(kind: Database, everything: list[Asked]) -> list[Table | str]:
    here = [asked for asked in everything if asked.measured.cell.database == kind]
    ratios, _, *left_out = table.tables(
        [asked.measured for asked in here], NAMES, RATIOS, f"two-step run, {kind}"
    )
    rates = table.table(f"runs per second, {kind}", *NAMES)
    slowest = table.table(f"p50 / p99, ms, {kind}", *NAMES)
    for asked in here:
        cell, times = str(asked.measured.cell), asked.measured.microseconds
        rates.add_row(cell, *(table.number(_rate(times(name))) for name in NAMES))
        slowest.add_row(cell, *(_percentiles(asked.answers.get(name)) for name in NAMES))
    return [ratios, rates, slowest, *left_out, _of_client(here)]


def _rate(microseconds: float | None) -> float | None:
    return None if microseconds is None else 1e6 / microseconds


def _percentiles(answers: Answers | None) -> str:
    if answers is None or len(answers.latencies) < 2:
        return "left out"
    milliseconds = [seconds * 1e3 for seconds in answers.latencies]
    p99 = quantiles(milliseconds, n=100)[98]
    return f"{table.number(median(milliseconds))} / {table.number(p99)}"


def _of_client(here: list[Asked]) -> str:
    all_answers = [answers for asked in here for answers in asked.answers.values()]
    number = sum(len(answers.latencies) for answers in all_answers)
    spent = sum(answers.processor for answers in all_answers)
    return f"The client itself took {spent / max(number, 1) * 1e6:.0f} µs of a core per request."


def _data(asked: Asked) -> dict[str, object]:
    measured = asked.measured
    latencies: Mapping[str, Answers] = asked.answers
    return {
        "database": measured.cell.database,
        "concurrency": measured.cell.concurrency,
        "ratios": {f"{a} / {b}": measured.ratio(a, b) for a, b in RATIOS},
        "per_second": {name: _rate(measured.microseconds(name)) for name in measured.rounds},
        "p50_p99_milliseconds": {name: _percentiles(found) for name, found in latencies.items()},
        "rounds": measured.rounds,
        "left_out": measured.left_out,
    }
