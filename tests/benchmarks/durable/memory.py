"""Memory: what the service has resident after more and more runs of two steps, over HTTP."""

import sys
from pathlib import Path
from time import monotonic

from tests.benchmarks import table
from tests.benchmarks.durable.contestants import DATABASES, OURS, Database
from tests.benchmarks.durable.servers import Server, serving
from tests.benchmarks.durable.stage import Stage
from tests.benchmarks.processes import Worker
from tests.benchmarks.results import Result, Say

RUNS, RUNS_QUICK = 100_000, 3_000
SAMPLES = 5
CONCURRENCY = 32
BOUND = 60.0
"""Seconds that an answer may take."""

LONGEST = 240.0
"""Seconds after which no more runs are made."""


async def run(stage: Stage, quick: bool, say: Say) -> Result:
    """Measure after each part of the runs, as far as they come in time."""
    runs = RUNS_QUICK if quick else RUNS
    found: dict[Database, list[tuple[int, int]]] = {}
    for kind in DATABASES:
        with stage.database(kind) as url:
            async with serving(OURS.name, stage.pythons[OURS.name], url) as server:
                found[kind] = await samples(server, runs, kind, say)
    shown = table.table("memory, MB", *(f"{runs * n // SAMPLES:,}" for n in range(SAMPLES + 1)))
    for kind, seen in found.items():
        late = ["-"] * (SAMPLES + 1 - len(seen))
        shown.add_row(kind, *(f"{used / 1e6:.0f}" for _, used in seen), *late)
    return Result([shown], {"runs_and_bytes": found})


async def samples(server: Server, runs: int, kind: str, say: Say) -> list[tuple[int, int]]:
    """How many runs it has made, and the bytes it then has, from none to all."""
    client = Worker("client", Path(sys.executable), "tests.benchmarks.durable.client")
    asked = {"port": server.port, "concurrency": CONCURRENCY, "seconds": 1.0}
    question = {**asked, **server.two_steps(), "expected": "completed"}
    made, seen, end = 0, [(0, server.memory())], monotonic() + LONGEST
    try:
        for number in range(1, SAMPLES + 1):
            while made < runs * number // SAMPLES:
                if monotonic() > end:
                    return seen
                say(f"memory, {kind}: {made:,} runs of {runs:,}")
                made += len((await client.ask(question, BOUND))["latencies"])
            seen.append((made, server.memory()))
    finally:
        await client.stop()
    return seen
