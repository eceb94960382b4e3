"""What a run may come to: over a bound it is failed, says what to raise, and can be rerun."""

import asyncio
import time

import pytest

from tests.api.asking import Cairn, Json
from tests.api.files import Serve, serve

__all__ = ["serve"]

ENDLESS = """
import asyncio
from cairn import (
    Context, Event, HumanResponseEvent, InputRequiredEvent, StartEvent, StopEvent, Workflow,
    retry_policy, step,
)
from cairn.engine.language.retry import stop_never, wait_none

class Round(Event):
    number: int

class Answer(HumanResponseEvent):
    pass

class Loop(Workflow):
    max_steps = 50

    @step
    async def go(self, ev: StartEvent | Round) -> Round | StopEvent:
        number = ev.number + 1 if isinstance(ev, Round) else 1
        return StopEvent(result=number) if number == 80 else Round(number=number)

class Bomb(Workflow):
    max_pending = 20

    @step(num_workers=1)
    async def split(self, ctx: Context, ev: StartEvent | Round) -> Round | StopEvent | None:
        ctx.send_event(Round(number=1))
        ctx.send_event(Round(number=2))
        return None

class Slow(Workflow):
    max_seconds = 1.5

    @step
    async def sleep(self, ev: StartEvent) -> StopEvent:
        await asyncio.sleep(1000)
        return StopEvent()

class Patient(Workflow):
    max_seconds = 1.5

    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
        await ctx.wait_for_event(Answer, timeout=None)
        return StopEvent()

class Resting(Workflow):
    max_seconds = 1.5

    @step
    async def ask(self, ev: StartEvent) -> InputRequiredEvent:
        return InputRequiredEvent()

    @step
    async def end(self, ev: HumanResponseEvent) -> StopEvent:
        return StopEvent()

class Stubborn(Workflow):
    attempts = 0

    @step(retry_policy=retry_policy(stop=stop_never(), wait=wait_none()))
    async def fail(self, ctx: Context, ev: StartEvent) -> StopEvent:
        if ctx.retry_info().retry_number < 105:
            raise ValueError("no")
        return StopEvent()

class Crowd(Workflow):
    max_active = 2

    @step
    async def sleep(self, ev: StartEvent) -> StopEvent:
        await asyncio.sleep(1000)
        return StopEvent()

class Quick(Workflow):
    @step
    async def end(self, ev: StartEvent) -> StopEvent:
        return StopEvent(result="quick")
"""


async def failed(cairn: Cairn, run: Json, *words: str) -> Json:
    """The run, which has failed for a limit, in these words."""
    seen = await cairn.ended(run)
    assert (seen["status"], seen["error"]["type"]) == ("failed", "LimitExceeded")
    for word in (*words, "rerun from the last checkpoint"):
        assert word in seen["error"]["message"]
    return seen


async def test_a_run_over_its_steps_is_failed_and_goes_on_from_its_last_checkpoint(
    serve: Serve,
) -> None:
    async with serve(ENDLESS) as cairn:
        run = await failed(cairn, await cairn.start("loop"), "50 checkpoints", "CAIRN_MAX_STEPS")
        assert run["checkpoint_count"] == 50
        checkpoints = await cairn.checkpoints(run)
        rerun = await cairn.ended(await cairn.rerun(checkpoints[-1]))
        assert (rerun["status"], rerun["result"]) == ("completed", 80)


async def test_the_settings_hold_for_workflows_that_say_nothing(serve: Serve) -> None:
    async with serve(ENDLESS.replace("    max_steps = 50\n", ""), max_steps=10) as cairn:
        assert (await failed(cairn, await cairn.start("loop")))["checkpoint_count"] == 10


async def test_a_run_with_too_much_pending_is_failed(serve: Serve) -> None:
    async with serve(ENDLESS) as cairn:
        run = await failed(cairn, await cairn.start("bomb"), "21 pending", "CAIRN_MAX_PENDING")
        assert run["checkpoint_count"] == 1 + 20


async def test_a_run_over_its_time_is_failed_also_where_another_life_takes_it_up(
    serve: Serve,
) -> None:
    since = time.monotonic()
    async with serve(ENDLESS, drain_seconds=0) as cairn:
        run = await cairn.until(await cairn.start("slow"), "running")
        waiting = await cairn.until(await cairn.start("patient"), "waiting")
    async with serve(ENDLESS) as cairn:
        for it in (run, waiting):
            await failed(cairn, it, "1.5 seconds", "CAIRN_MAX_SECONDS")
        assert time.monotonic() - since >= 1.5


async def test_a_run_over_its_time_is_failed_though_it_rests(serve: Serve) -> None:
    async with serve(ENDLESS) as cairn:
        run = await cairn.until(await cairn.start("resting"), "waiting")
        await failed(cairn, run, "1.5 seconds")


async def test_endless_retries_have_pauses_after_a_while(serve: Serve) -> None:
    async with serve(ENDLESS) as cairn:
        since = time.monotonic()
        await cairn.completed("stubborn")
        assert time.monotonic() - since >= 6 * 0.1, "a pause is slept, whatever else there is"


@pytest.mark.parametrize(("name", "slots", "running"), [("crowd", 100, 2), ("slow", 10, 9)])
async def test_one_workflow_cannot_have_all_the_slots(
    serve: Serve, name: str, slots: int, running: int
) -> None:
    text = ENDLESS.replace("max_seconds = 1.5", "max_seconds = None")
    async with serve(text, max_active_runs=slots, drain_seconds=0) as cairn:
        runs = [await cairn.start(name) for _ in range(12)]
        assert (await cairn.completed("quick"))["result"] == "quick"
        async with asyncio.timeout(10):
            while True:
                seen = [(await cairn.get(f"/runs/{run['id']}"))["status"] for run in runs]
                if seen.count("running") == running:
                    break
                await asyncio.sleep(0.05)
        assert seen.count("queued") == 12 - running
