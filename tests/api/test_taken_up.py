"""Runs that go on in another life of the service: none stands still for ever."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from cairn import catalog
from cairn.engine.values.sealed import SealedEvent
from cairn.store import telling
from cairn.store.database import Database
from cairn.store.tables import Run
from tests.api.files import Serve, serve

__all__ = ["serve"]

FLOWS = """
from pathlib import Path
from cairn import (
    Context, Event, HumanResponseEvent, StartEvent, StopEvent, Workflow, retry_policy, step,
)
from cairn.engine.language.retry import stop_never, wait_fixed

class Word(HumanResponseEvent):
    said: str

class Backing(Workflow):
    @step(retry_policy=retry_policy(stop=stop_never(), wait=wait_fixed(2)))
    async def fail(self, ev: StartEvent) -> StopEvent:
        mark = Path(ev.mark)
        if not mark.exists():
            mark.touch()
            raise ValueError("once")
        return StopEvent(result="well")

class Timed(Workflow):
    @step
    async def wait(self, ctx: Context, ev: StartEvent) -> StopEvent:
        try:
            return StopEvent(result=(await ctx.wait_for_event(Word, timeout=2.0)).said)
        except TimeoutError:
            return StopEvent(result="late")

class Keeping(Workflow):
    @step
    async def keep(self, ctx: Context, ev: StartEvent) -> StopEvent:
        await ctx.set("body", ev.body)
        return StopEvent(result="kept")
"""


async def test_a_run_in_the_pause_before_an_attempt_goes_on_after_a_restart(
    serve: Serve, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    async with serve(FLOWS) as cairn:
        run = await cairn.start("backing", {"mark": str(mark)})
        async with asyncio.timeout(10):
            while not mark.exists():
                await cairn.get("/health/ready")
                await asyncio.sleep(0.01)  # what is answered from memory gives no step its turn
    async with serve(FLOWS) as cairn:
        assert (await cairn.until(run, "completed"))["result"] == "well"


async def test_a_cancel_of_a_run_whose_process_ends_before_it_hears_of_it_is_not_lost(
    serve: Serve, database: str
) -> None:
    async with serve(FLOWS) as cairn:
        run = await cairn.until(await cairn.start("timed"), "waiting")
    store = Database(database)
    store.open(as_worker=False)
    asked = update(Run).where(col(Run.workflow) == "timed").values(is_to_cancel=True)
    await store.write(lambda session: session.connection().execute(asked).rowcount)
    store.close()
    async with serve(FLOWS) as cairn:
        await cairn.until(run, "cancelled")


async def test_an_answer_that_came_in_time_is_heard_though_the_time_is_up_by_then(
    serve: Serve, database: str, tmp_path: Path
) -> None:
    async with serve(FLOWS) as cairn:
        run = await cairn.until(await cairn.start("timed"), "waiting")
    graph = catalog.load(tmp_path / "files", 10).workflows["timed"].graph
    store = Database(database)
    store.open(as_worker=False)
    word = SealedEvent("Word", {"said": "yes"})
    await store.write(telling.tell, UUID(run["id"]), word, None, graph)
    store.close()
    await asyncio.sleep(2.2)
    async with serve(FLOWS) as cairn:
        assert (await cairn.until(run, "completed"))["result"] == "yes"


@pytest.mark.parametrize("mark", ["$blob", "$parts"])
async def test_a_value_that_looks_like_a_reference_keeps_no_run_from_its_end(
    serve: Serve, mark: str
) -> None:
    async with serve(FLOWS) as cairn:
        body = [{mark: "ab" * 32}]
        run = await cairn.completed("keeping", {"body": body})
        *_, last = await cairn.checkpoints(run)
        kept = await cairn.get(f"/checkpoints/{last['id']}")
        assert kept["ctx_state"]["globals"] == {"body": body}
