"""What carries a large state through many steps, and touches little of it."""

from random import Random

from cairn import (
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
PARCELS, EACH = 5_000, 200
"""A megabyte, in values that are each short enough to stand in a row."""


async def load_parcels(ctx: Context) -> None:
    """Put them all into the state."""
    for number in range(PARCELS):  # which nothing compresses: that would hide what is written
        await ctx.set(f"parcel {number}", Random(number).randbytes(EACH // 2).hex())


class Haul(StartEvent):
    rests: list[int]
    in_parcels: bool = False


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
        if ev.in_parcels:
            await load_parcels(ctx)
        else:
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


class Delivery(StartEvent):
    width: int


class Parcel(Event):
    number: int


class Delivered(Event):
    number: int


class Receipt(HumanResponseEvent):
    number: int


class DeliveriesWorkflow(Workflow):
    """Loads, rests, and delivers many at once."""

    @step
    async def load(self, ctx: Context, ev: Delivery) -> Rest:
        await load_parcels(ctx)
        await ctx.set("width", ev.width)
        return Rest(number=0)

    @step
    async def send(self, ctx: Context, ev: GoOn) -> Parcel | None:
        for number in range(await ctx.get("width")):
            ctx.send_event(Parcel(number=number))
        return None

    @step
    async def deliver(self, ev: Parcel) -> Delivered:
        return Delivered(number=ev.number)

    @step
    async def sign(self, ctx: Context, ev: Delivered) -> Rest | None:
        width = await ctx.get("width")
        done = ctx.collect_events(ev, [Delivered] * width)
        return None if done is None else Rest(number=width)

    @step
    async def end(self, ev: Receipt) -> StopEvent:
        return StopEvent(result=ev.number)
