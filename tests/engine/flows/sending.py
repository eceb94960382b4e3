"""Workflows that ask no person: chains, loops, fan-outs and pairs."""

import asyncio

from cairn import (
    Context,
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.tools.runs import until


class Part(Event):
    n: int


class Done(Event):
    n: int


class Number(StartEvent):
    n: int = 3


class Chain(Workflow):
    """One step after another; each leaves a word."""

    @step
    async def begin(self, ctx: Context, ev: Number) -> Part:
        await ctx.set("trail", ["begin"])
        return Part(n=ev.n)

    @step
    async def double(self, ctx: Context, ev: Part) -> Done:
        await ctx.set("trail", [*await ctx.get("trail"), "double"])
        return Done(n=ev.n * 2)

    @step
    async def end(self, ctx: Context, ev: Done) -> StopEvent:
        await ctx.set("trail", [*await ctx.get("trail"), "end"])
        return StopEvent(result=(ev.n, await ctx.get("trail")))


class Loop(Workflow):
    """One step that returns the next event to itself, and changes a list in place."""

    @step
    async def begin(self, ctx: Context, ev: Number) -> Part:
        await ctx.set("seen", [])
        return Part(n=ev.n)

    @step
    async def around(self, ctx: Context, ev: Part) -> Part | StopEvent:
        seen = await ctx.get("seen")
        seen.append(ev.n)
        return Part(n=ev.n - 1) if ev.n else StopEvent(result=seen)


class FanOut(Workflow):
    """Sends three parts and returns `None`; gathers the three results."""

    @step
    async def scatter(self, ctx: Context, ev: Number) -> Part | None:
        for n in range(ev.n):
            ctx.send_event(Part(n=n))
        return None

    @step
    async def work(self, ev: Part) -> Done:
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * 3)
        return None if done is None else StopEvent(result=sorted(d.get("n") for d in done))


class Tick(Event):
    pass


class Tock(Event):
    pass


class Scatter(Event):
    pass


class SlowFanOut(Workflow):
    """A step that sends three parts is still running when another step completes."""

    def __init__(self) -> None:
        super().__init__()
        self.ticked = asyncio.Event()

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Scatter | Tick | None:
        ctx.send_event(Scatter())
        ctx.send_event(Tick())
        return None

    @step
    async def tick(self, ev: Tick) -> Tock:
        return Tock()

    @step
    async def tock(self, ev: Tock) -> None:
        self.ticked.set()

    @step
    async def scatter(self, ctx: Context, ev: Scatter) -> Part | None:
        ctx.send_event(Part(n=0))
        await until(self.ticked)
        ctx.send_event(Part(n=1))
        return Part(n=2)

    @step
    async def work(self, ev: Part) -> Done:
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * 3)
        return None if done is None else StopEvent(result=sorted(d.get("n") for d in done))


class Counting(Workflow):
    """Three executions at once have all read a counter before the first adds to the counter."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.all_read = asyncio.Event()

    @step
    async def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
        for n in range(3):
            ctx.send_event(Part(n=n))
        return None

    @step
    async def add(self, ctx: Context, ev: Part) -> Done:
        count = await ctx.get("count", default=0)
        self.read += 1
        if self.read == 3:
            self.all_read.set()
        await until(self.all_read)
        await ctx.set("count", count + 1)
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        if ctx.collect_events(ev, [Done] * 3) is None:
            return None
        return StopEvent(result=await ctx.get("count"))


class A(Event):
    n: int


class B(Event):
    n: int


class Pair(Event):
    a: int
    b: int


class Pairing(Workflow):
    """Collects pairs from A1 A2 B1 B2."""

    @step
    async def scatter(self, ctx: Context, ev: StartEvent) -> A | B | None:
        for event in (A(n=1), A(n=2), B(n=1), B(n=2)):
            ctx.send_event(event)
        return None

    @step
    async def pair(self, ctx: Context, ev: A | B) -> Pair | None:
        pair = ctx.collect_events(ev, [A, B])
        return None if pair is None else Pair(a=pair[0].get("n"), b=pair[1].get("n"))

    @step
    async def gather(self, ctx: Context, ev: Pair) -> StopEvent | None:
        pairs = ctx.collect_events(ev, [Pair] * 2)
        if pairs is None:
            return None
        return StopEvent(result=sorted((p.get("a"), p.get("b")) for p in pairs))


class Equals(Workflow):
    """Five equal events are in flight; two pairs are collected, one is left over."""

    @step
    async def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
        for _ in range(5):
            ctx.send_event(Part(n=1))
        return None

    @step
    async def work(self, ctx: Context, ev: Part) -> Done:
        if ctx.collect_events(ev, [Part, Part]):
            await ctx.set("pairs", await ctx.get("pairs", default=0) + 1)
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        if ctx.collect_events(ev, [Done] * 5) is None:
            return None
        return StopEvent(result=await ctx.get("pairs"))


class Left(Event):
    n: int


class Right(Event):
    n: int


class Diamond(Workflow):
    """Two steps take one event, and a third collects both results."""

    @step
    async def begin(self, ev: Number) -> Part:
        return Part(n=ev.n)

    @step
    async def left(self, ctx: Context, ev: Part) -> Left:
        await ctx.set("left", ev.n)
        return Left(n=ev.n + 1)

    @step
    async def right(self, ctx: Context, ev: Part) -> Right:
        await ctx.set("right", ev.n)
        return Right(n=ev.n + 2)

    @step
    async def join(self, ctx: Context, ev: Left | Right) -> StopEvent | None:
        both = ctx.collect_events(ev, [Left, Right])
        return None if both is None else StopEvent(result=[e.get("n") for e in both])
