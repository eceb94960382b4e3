"""Runs are many, and leave nothing for the garbage collector: it would stop everybody. What steps
have raised is left to it: an exception refers to where it was raised."""

import asyncio
import gc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.main import running
from app.settings import Settings

WORKFLOW = """
from app.engine import Context, Event, StartEvent, StopEvent, Workflow, step


class Part(Event):
    number: int


class Done(Event):
    number: int


class Busy(Workflow):
    @step
    async def split(self, ctx: Context, ev: StartEvent) -> Part | None:
        await ctx.set("width", 3)
        for number in range(3):
            ctx.send_event(Part(number=number))
        return None

    @step
    async def work(self, ev: Part) -> Done:
        return Done(number=ev.number)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        if ctx.collect_events(ev, [Done] * 3) is None:
            return None
        return StopEvent(result=await ctx.get("width"))
"""


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
    (tmp_path / "busy.py").write_text(WORKFLOW)
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'cairn.db'}", workflows=tmp_path)
    async with running(settings) as service:

        async def run() -> None:
            run_id = await service.start_run("busy", {}, None, True, None)
            assert (await service.run(run_id, 20)).status == "completed"

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
            if type(found).__module__.startswith("app.")
        )
        assert not ours
