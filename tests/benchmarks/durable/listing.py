"""Lists: filtered pages of checkpoints over HTTP, with ever more checkpoints in the context."""

import base64
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from cairn.main import running
from cairn.settings import Settings
from tests.benchmarks import table
from tests.benchmarks.durable.contestants import DATABASES, OURS, Database
from tests.benchmarks.durable.multiplying import multiply
from tests.benchmarks.durable.servers import WORKFLOWS, Server, serving
from tests.benchmarks.durable.stage import Stage
from tests.benchmarks.processes import Worker
from tests.benchmarks.results import Result, Say

SIZES, SIZES_QUICK = (1_000, 100_000, 1_000_000), (1_000, 20_000)
EACH = 20  # checkpoints of a run: a full page of them has the rarest output
BOUND = 60.0


@dataclass(slots=True)
class Listed:
    """A service whose database has so many checkpoints, and the lists that are asked for.

    Attributes:
        latencies: of each list, in seconds.
    """

    server: Server
    paths: dict[str, str]
    latencies: dict[str, list[float]] = field(default_factory=dict)


async def run(stage: Stage, quick: bool, say: Say) -> Result:
    """Ask for each list, of all sizes in turns."""
    sizes, rounds, seconds = (SIZES_QUICK, 2, 0.5) if quick else (SIZES, 6, 1.0)
    tables, data = [], {}
    for kind in DATABASES:
        async with AsyncExitStack() as stack:
            listed = {}
            for size in sizes:
                say(f"lists, {kind}: making {size:,} checkpoints")
                listed[size] = await made(stage, stack, kind, size)
            client = Worker("client", Path(sys.executable), "tests.benchmarks.durable.client")
            stack.push_async_callback(client.stop)
            for number in range(rounds):
                say(f"lists, {kind}: round {number + 1} of {rounds}")
                await _round(client, [*listed.values()], seconds)
        shown = table.table(
            f"p50 / p99, ms, {kind}",
            *(f"{size:,}" for size in sizes),
            f"p99 of {sizes[-1]:,} / {sizes[0]:,}",
        )
        for name in listed[sizes[0]].paths:
            found = [_percentiles(listed[size].latencies[name]) for size in sizes]
            cells = [f"{table.number(p50)} / {table.number(p99)}" for p50, p99 in found]
            shown.add_row(name, *cells, table.number(found[-1][1] / found[0][1]))
            data[f"{kind}, {name}"] = {
                f"{size}": {"p50": p50, "p99": p99, "requests": len(listed[size].latencies[name])}
                for size, (p50, p99) in zip(sizes, found, strict=True)
            }
        tables.append(shown)
    return Result(tables, data)


async def made(
    stage: Stage, stack: AsyncExitStack, kind: Database, size: int, each: int = EACH
) -> Listed:
    """A real run, its rows as often as need be, and a service on it all."""
    url = stack.enter_context(stage.database(kind))
    async with running(Settings(database_url=url, workflows=WORKFLOWS)) as service:
        fields = {"steps": each - 1}
        first = await service.runs.start("counting", fields, None, True, None)
        seen = await service.runs.find(first, wait_seconds=BOUND)
    copies = multiply(url, first, size)
    server = await stack.enter_async_context(serving(OURS.name, stage.pythons[OURS.name], url))
    context = f"/contexts/{seen.context_id}/checkpoints"
    paths = {
        "context, rare output": f"{context}?output_event_type=StopEvent",
        "context, step and input": f"{context}?last_completed_step=count&input_event_type=Round",
        "context, none match": f"{context}?last_completed_step=no_such_step",
        "run, rare output": f"/runs/{first}/checkpoints?output_event_type=StopEvent",
    }
    if copies:
        _, middle = copies[len(copies) // 2]
        first = copies[-1][0]
        paths["run, rare output"] = f"/runs/{first}/checkpoints?output_event_type=StopEvent"
        cursor = base64.urlsafe_b64encode(str(middle[0]).encode()).decode()
    else:
        cursor = base64.urlsafe_b64encode(str(first).encode()).decode()
    paths["context, from the middle"] = f"{context}?last_completed_step=count&cursor={cursor}"
    return Listed(server, paths)


async def _round(client: Worker, all_listed: list[Listed], seconds: float) -> None:
    for name in all_listed[0].paths:
        for listed in all_listed:
            question = {
                "port": listed.server.port,
                "path": listed.paths[name],
                "concurrency": 1,
                "seconds": seconds,
                "expected": '"items"',
            }
            said = await client.ask(question, BOUND)
            listed.latencies.setdefault(name, []).extend(said["latencies"])


def _percentiles(latencies: list[float]) -> tuple[float, float]:
    milliseconds = [seconds * 1e3 for seconds in latencies]
    return median(milliseconds), quantiles(milliseconds, n=100)[98]
