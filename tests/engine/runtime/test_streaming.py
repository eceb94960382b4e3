"""What a run shows to whoever watches it."""

import asyncio
import threading
from typing import Any

import pytest

from cairn import (
    Context,
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowFailedEvent,
    step,
)
from tests.engine.flows.sending import Left, Part
from tests.engine.tools.runs import BOUND, ended, until


async def test_what_a_step_in_a_thread_shows_is_seen_at_once() -> None:
    class InThread(Workflow):
        def __init__(self) -> None:
            super().__init__()
            self.seen = [threading.Event() for _ in range(100)]

        @step
        def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            for n, seen in enumerate(self.seen):
                ctx.write_event_to_stream(Left(n=n))
                if not seen.wait(BOUND / 2):
                    return StopEvent(result=f"{n} was not seen")
            return StopEvent(result="all were seen")

    workflow = InThread()
    handler = workflow.run()
    async for event in handler.stream_events():
        if isinstance(event, Left):
            workflow.seen[event.n].set()
    assert await ended(handler) == "all were seen"


class Progress(Event):
    percent: int


class Showing(Workflow):
    def __init__(self, fails: bool = False) -> None:
        super().__init__()
        self.seen = asyncio.Event()
        self.fails = fails

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part:
        ctx.write_event_to_stream(Progress(percent=1))
        await until(self.seen)
        ctx.write_event_to_stream(Progress(percent=2))
        if self.fails:
            raise LookupError("lost")
        return Part(n=1)

    @step
    async def end(self, ctx: Context, ev: Part) -> StopEvent:
        ctx.write_event_to_stream(Progress(percent=3))
        return StopEvent(result="shown")


async def watch(workflow: Showing) -> tuple[Any, list[Any]]:
    handler = workflow.run()
    stream = []
    async with asyncio.timeout(BOUND):
        async for event in handler.stream_events():
            stream.append(event)
            workflow.seen.set()
    return handler, stream


async def test_what_a_step_shows_is_seen_at_once_and_the_stop_event_last() -> None:
    handler, stream = await watch(Showing())
    assert stream == [*(Progress(percent=n) for n in (1, 2, 3)), StopEvent(result="shown")]
    assert await ended(handler) == "shown"


async def test_the_stream_of_a_run_that_fails_ends_with_that() -> None:
    handler, stream = await watch(Showing(fails=True))
    assert stream[:-1] == [Progress(percent=1), Progress(percent=2)]
    failed = stream[-1]
    assert isinstance(failed, WorkflowFailedEvent)
    assert (failed.step_name, failed.attempts) == ("begin", 1)
    assert str(failed.exception) == str(handler.exception())
    with pytest.raises(LookupError, match="lost"):
        await ended(handler)


async def test_a_stream_may_be_read_when_the_run_has_ended() -> None:
    workflow = Showing()
    workflow.seen.set()
    handler = workflow.run()
    await ended(handler)
    async with asyncio.timeout(BOUND):
        stream = [event async for event in handler.stream_events()]
    assert [type(e).__name__ for e in stream] == [*["Progress"] * 3, "StopEvent"]


async def test_changing_an_event_after_it_was_shown_changes_nothing() -> None:
    class Changes(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            progress = Progress(percent=1)
            ctx.write_event_to_stream(progress)
            progress.percent = 2
            return StopEvent()

    handler = Changes().run()
    await ended(handler)
    stream = [event async for event in handler.stream_events()]
    assert stream[0] == Progress(percent=1)
