"""What remembers in its context, and what sends many events from one step."""

from __future__ import annotations

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step


class By(StartEvent):
    by: int = 1


class Counted(Event):
    count: int


class CounterWorkflow(Workflow):
    """Counts on from where the context stands."""

    @step
    async def count(self, ctx: Context, ev: By) -> Counted:
        count = await ctx.get("count", default=0) + ev.by
        await ctx.set("count", count)
        return Counted(count=count)

    @step
    async def tell(self, ctx: Context, ev: Counted) -> StopEvent:
        return StopEvent(result=await ctx.get("count"))


class Width(StartEvent):
    width: int


class Part(Event):
    number: int


class Done(Event):
    number: int


class ScatterWorkflow(Workflow):
    """Sends as many parts as asked from one step, and gathers what became of them."""

    @step
    async def scatter(self, ctx: Context, ev: Width) -> Part | None:
        await ctx.set("width", ev.width)
        for number in range(ev.width):
            ctx.send_event(Part(number=number))
        return None

    @step
    async def work(self, ev: Part) -> Done:
        return Done(number=ev.number)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * await ctx.get("width"))
        if done is None:
            return None
        return StopEvent(result=sorted(event.get("number") for event in done))
