"""The parts there are to measure, all on one stage."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

from tests.benchmarks.durable import over_http, steps
from tests.benchmarks.durable.stage import Stage, stage
from tests.benchmarks.results import Result, Say

PARTS: dict[str, Callable[[Stage, bool, Say], Awaitable[Result]]] = {
    "steps": steps.run,
    "http": over_http.run,
}


def run(names: Sequence[str], quick: bool, say: Say) -> Iterator[tuple[str, Result]]:
    """Measure part after part."""
    say("installing the peers, starting PostgreSQL")
    with stage() as made, asyncio.Runner() as runner:
        described = made.described()
        yield "machine", Result([", ".join(f"{k} {v}" for k, v in described.items())], described)
        for name in names:
            yield name, runner.run(_awaited(PARTS[name](made, quick, say)))


async def _awaited(result: Awaitable[Result]) -> Result:
    return await result
