"""How many events a step works on at once, and the steps that work in threads."""

import asyncio
import sys
import threading

import pytest

from cairn import (
    Context,
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.sending import Done, Left, Part, Right
from tests.engine.tools.runs import BOUND, ended, rerun_everywhere, until


class Busy(Workflow):
    """Counts how many of its steps are at work at once."""

    def __init__(self, workers: int) -> None:
        super().__init__()
        self.workers = workers
        self.at_work = self.most = 0
        self.full = asyncio.Event()

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Left | Right | None:
        kind = Left if self.workers == 2 else Right
        for n in range(8):
            ctx.send_event(kind(n=n))
        return None

    @step(num_workers=2)
    async def two(self, ev: Left) -> Done:
        return await self.work(ev.n)

    @step(num_workers=1)
    async def one(self, ev: Right) -> Done:
        return await self.work(ev.n)

    async def work(self, n: int) -> Done:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        if self.at_work == self.workers:
            self.full.set()
        await until(self.full)
        for _ in range(5):
            await asyncio.sleep(0)
        self.at_work -= 1
        return Done(n=n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * 8)
        return None if done is None else StopEvent(result=[d.get("n") for d in done])


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_step_works_on_as_many_events_at_once_as_it_has_workers(workers: int) -> None:
    workflow = Busy(workers)
    result = await ended(workflow.run())
    assert sorted(result) == list(range(8))
    assert workflow.most == workers


async def test_one_worker_takes_events_in_the_order_they_were_sent() -> None:
    assert await ended(Busy(1).run()) == list(range(8))


async def test_workers_are_counted_within_a_run() -> None:
    class Meeting(Workflow):
        @step(num_workers=1)
        async def meet(self, ev: StartEvent) -> StopEvent:
            present.append(ev)
            if len(present) == 2:
                both.set()
            await until(both)
            return StopEvent()

    present: list[Event] = []
    both = asyncio.Event()
    workflow = Meeting()
    async with asyncio.timeout(BOUND):
        await asyncio.gather(workflow.run(), workflow.run())


class Threads(Workflow):
    """Three steps that are no coroutines meet, while the event loop goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(3)
        self.released = threading.Event()

    @step
    def scatter(self, ctx: Context, ev: StartEvent) -> Part | Left | None:
        for n in range(3):
            ctx.send_event(Part(n=n))
        ctx.send_event(Left(n=0))
        return None

    @step
    async def release(self, ev: Left) -> None:
        self.released.set()

    @step
    def work(self, ctx: Context, ev: Part) -> Done:
        assert self.released.wait(BOUND)
        self.barrier.wait(BOUND)
        ctx.write_event_to_stream(Right(n=ev.n))
        return Done(n=threading.get_ident())

    @step
    def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * 3)
        return None if done is None else StopEvent(result={d.get("n") for d in done})


async def test_a_step_that_is_no_coroutine_runs_in_a_thread_of_its_own() -> None:
    handler = Threads().run()
    threads = await ended(handler)
    assert len(threads) == 3
    assert threading.get_ident() not in threads
    shown = sorted([e.get("n", -1) async for e in handler.stream_events()])
    assert shown == [-1, 0, 1, 2]


async def test_steps_in_threads_collect_everything_once() -> None:
    class InThreads(Workflow):
        @step
        def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
            for n in range(400):
                ctx.send_event(Part(n=n))
            return None

        @step(num_workers=16)
        def pair(self, ctx: Context, ev: Part) -> Done | None:
            pair = ctx.collect_events(ev, [Part, Part])
            return Done(n=0, parts=[p.get("n") for p in pair]) if pair else None

        @step
        def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            done = ctx.collect_events(ev, [Done] * 200)
            return StopEvent(result=sorted(n for d in done for n in d["parts"])) if done else None

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        assert await ended(InThreads().run()) == list(range(400))
    finally:
        sys.setswitchinterval(switching)


async def test_a_step_in_a_thread_reruns_like_any_other() -> None:
    class InThread(Workflow):
        @step
        def begin(self, ev: StartEvent) -> Part:
            return Part(n=ev.get("n"))

        @step
        def end(self, ev: Part) -> StopEvent:
            return StopEvent(result=ev.n + 1)

    workflow = InThread()
    source = workflow.run(n=1)
    assert await ended(source) == 2
    await rerun_everywhere(workflow, source)


async def test_what_a_step_in_a_thread_raises_is_raised_by_await() -> None:
    class InThread(Workflow):
        @step
        def only(self, ev: StartEvent) -> StopEvent:
            raise KeyError("in a thread")

    with pytest.raises(KeyError, match="in a thread"):
        await ended(InThread().run())
