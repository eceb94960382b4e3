"""The parts there are to measure, all on one stage."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from cairn import logs
from tests.benchmarks.durable import goals, listing, memory, over_http, reruns, sizes, steps
from tests.benchmarks.durable.stage import Stage, stage
from tests.benchmarks.results import Result, Say

PARTS: dict[str, Callable[[Stage, bool, Say], Awaitable[Result]]] = {
    "steps": steps.run,
    "http": over_http.run,
    "listing": listing.run,
    "rerun": reruns.run,
    "bytes": sizes.run,
    "memory": memory.run,
}


def run(names: Sequence[str], quick: bool, say: Say) -> Iterator[tuple[str, Result]]:
    """Measure part after part."""
    logs.configure("error", "console")  # some of it is driven by this process
    say("installing the peers, starting PostgreSQL")
    with stage() as made, asyncio.Runner() as runner:
        described = made.described()
        yield "machine", Result([", ".join(f"{k} {v}" for k, v in described.items())], described)
        results = {}
        for name in names:
            results[name] = runner.run(_awaited(PARTS[name](made, quick, say)))
            yield name, results[name]
        yield "goals", goals.compared(results)


async def _awaited(result: Awaitable[Result]) -> Result:
    return await result
