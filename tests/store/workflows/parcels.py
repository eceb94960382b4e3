"""What carries a large state in many small values, and touches one of them."""

from random import Random

from pydantic import Field

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

PARCELS, EACH = 5_000, 200
"""A megabyte, in values that are each short enough to stand in a row."""


class Load(StartEvent):
    rests: list[int] = Field(default_factory=list)
    width: int = 0


class Leg(Event):
    number: int


class Halt(InputRequiredEvent):
    number: int


class Onward(HumanResponseEvent):
    number: int


async def load_parcels(ctx: Context) -> None:
    for number in range(PARCELS):  # which nothing compresses: that would hide what is written
        await ctx.set(f"parcel {number}", Random(number).randbytes(EACH // 2).hex())


class ParcelsWorkflow(Workflow):
    """Goes from leg to leg, and halts at some."""

    @step
    async def load(self, ctx: Context, ev: Load) -> Leg:
        await load_parcels(ctx)
        await ctx.set("rests", ev.rests)
        return Leg(number=1)

    @step
    async def go(self, ctx: Context, ev: Leg) -> Leg | Halt | StopEvent:
        await ctx.set("at", ev.number)
        rests = await ctx.get("rests")
        if ev.number == rests[-1]:
            return StopEvent(result=ev.number)
        return Halt(number=ev.number) if ev.number in rests else Leg(number=ev.number + 1)

    @step
    async def go_on(self, ev: Onward) -> Leg:
        return Leg(number=ev.number + 1)


class Parcel(Event):
    number: int


class Delivered(Event):
    number: int


class Receipt(HumanResponseEvent):
    number: int


class DeliveriesWorkflow(Workflow):
    """Loads, halts, and delivers many at once."""

    @step
    async def load(self, ctx: Context, ev: Load) -> Halt:
        await load_parcels(ctx)
        await ctx.set("width", ev.width)
        return Halt(number=0)

    @step
    async def send(self, ctx: Context, ev: Onward) -> Parcel | None:
        for number in range(await ctx.get("width")):
            ctx.send_event(Parcel(number=number))
        return None

    @step
    async def deliver(self, ev: Parcel) -> Delivered:
        return Delivered(number=ev.number)

    @step
    async def sign(self, ctx: Context, ev: Delivered) -> Halt | None:
        width = await ctx.get("width")
        done = ctx.collect_events(ev, [Delivered] * width)
        return None if done is None else Halt(number=width)

    @step
    async def end(self, ev: Receipt) -> StopEvent:
        return StopEvent(result=ev.number)
