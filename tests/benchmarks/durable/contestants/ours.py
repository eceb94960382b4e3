"""Cairn, in process: all of the service but HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from cairn import logs
from cairn.main import running
from cairn.service.rerun_options import NO_CHANGES
from cairn.settings import Settings
from cairn.store.facets import Filters
from tests.benchmarks.durable.contestants import Opened, Rerun
from tests.benchmarks.durable.load import Load

WORKFLOWS = Path(__file__).parents[1] / "workflows"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    """Begin, on an empty database."""
    logs.configure("error", "console")
    async with running(Settings(database_url=url, workflows=WORKFLOWS)) as service:

        async def ended(run_id: UUID, load: Load) -> int:
            seen = await service.runs.find(run_id, wait_seconds=600)
            if seen.status != "completed":
                raise RuntimeError(f"The run is {seen.status}.")
            return load.steps

        async def run(load: Load) -> int:
            started = await service.runs.start("counting", load.fields(), None, True, None)
            return await ended(started, load)

        async def rerun_of(load: Load) -> Rerun:
            started = await service.runs.start("counting", load.fields(), None, True, None)
            await service.runs.find(started, wait_seconds=600)
            # The first checkpoint is that of the start event.
            page = await service.checkpoints.of_run(
                started, Filters(), False, 1, str(load.steps - 1)
            )
            origin = page.items[0].id

            async def rerun() -> int:
                return await ended(await service.reruns.start(origin, NO_CHANGES, None), load)

            return rerun

        yield Opened(run, rerun_of)
