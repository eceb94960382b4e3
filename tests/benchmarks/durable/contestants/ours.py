"""Cairn, in process: all of the service but HTTP."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from app.main import running
from app.settings import Settings
from tests.benchmarks.durable.load import Load

WORKFLOWS = Path(__file__).parents[1] / "workflows"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Callable[[Load], Awaitable[int]]]:
    """What makes one run of a load, on an empty database."""
    async with running(Settings(database_url=url, workflows=WORKFLOWS)) as service:

        async def run(load: Load) -> int:
            started = await service.start_run("counting", load.fields(), None, True, None)
            seen = await service.run(started, wait_seconds=600)
            if seen.status != "completed":
                raise RuntimeError(f"The run is {seen.status}.")
            return load.steps

        yield run
