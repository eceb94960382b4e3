"""Runs leave nothing for the garbage collector, except for the exceptions that steps raised.

A collection would stop every run. An exception refers to the frames that it was raised in.
"""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cairn.main import running
from cairn.settings import Settings

WORKFLOWS = Path(__file__).parent / "api" / "workflows"


@pytest.fixture
def uncollected() -> Iterator[None]:
    """The collector keeps what it finds, and comes only when it is asked to."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.usefixtures("uncollected")
async def test_a_run_that_has_completed_leaves_no_cycles(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'cairn.db'}"
    settings = Settings(database_url=url, workflows=WORKFLOWS)
    async with running(settings) as service:

        async def run() -> None:
            run_id = await service.runs.start("scatter", {"width": 3}, None, True, None)
            assert (await service.runs.find(run_id, 20)).status == "completed"

        await run()  # whatever is made once for all
        await asyncio.sleep(0)
        gc.collect()
        gc.garbage.clear()
        for _ in range(3):
            await run()
        await asyncio.sleep(0)
        gc.collect()
        ours = Counter(
            type(found).__qualname__
            for found in gc.garbage
            if type(found).__module__.startswith("cairn.")
        )
        assert not ours
