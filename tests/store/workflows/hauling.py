"""What carries a large state through many steps, and touches little of it."""

from app.engine import (
    Context,
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)

MEGABYTE = 1_000_000


class Haul(StartEvent):
    rests: list[int]


class Stage(Event):
    number: int


class Rest(InputRequiredEvent):
    number: int


class GoOn(HumanResponseEvent):
    number: int


class HaulWorkflow(Workflow):
    """Goes from stage to stage, and rests at some."""

    @step
    async def load(self, ctx: Context, ev: Haul) -> Stage:
        await ctx.set("load", "x" * MEGABYTE)
        await ctx.set("rests", ev.rests)
        return Stage(number=1)

    @step
    async def haul(self, ctx: Context, ev: Stage) -> Stage | Rest | StopEvent:
        await ctx.set("at", ev.number)
        rests = await ctx.get("rests")
        if ev.number == rests[-1]:
            return StopEvent(result=ev.number)
        return Rest(number=ev.number) if ev.number in rests else Stage(number=ev.number + 1)

    @step
    async def go_on(self, ev: GoOn) -> Stage:
        return Stage(number=ev.number + 1)


class Width(StartEvent):
    width: int


class Part(Event):
    number: int


class Done(Event):
    number: int


class SpreadWorkflow(Workflow):
    """Sends many parts at once, beside a large state."""

    @step
    async def spread(self, ctx: Context, ev: Width) -> Part | None:
        await ctx.set("load", "x" * MEGABYTE)
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
        return None if done is None else StopEvent(result=len(done))
