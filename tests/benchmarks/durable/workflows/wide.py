"""Rounds of a fan-out, beside a value in the state that only the first step writes."""

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step
from tests.benchmarks.durable import load


class Start(StartEvent):
    """Begins the first round."""

    rounds: int
    width: int
    size: int


class Again(Event):
    """Begins another round."""

    number: int


class Part(Event):
    """One of the round's."""

    number: int


class Done(Event):
    """One of them is done."""

    number: int


class Wide(Workflow):
    """In each of `rounds`, sends `width` events, and collects what comes of them."""

    @step(num_workers=1)
    async def split(self, ctx: Context, ev: Start | Again) -> Part | None:
        load.pass_by()
        if isinstance(ev, Start):
            await ctx.set("value", load.value(ev.size))
            await ctx.set("width", ev.width)
            await ctx.set("rounds", ev.rounds)
        for number in range(await ctx.get("width")):
            ctx.send_event(Part(number=number))
        return None

    @step(num_workers=1)
    async def work(self, ev: Part) -> Done:
        load.pass_by()
        return Done(number=ev.number)

    @step(num_workers=1)
    async def gather(self, ctx: Context, ev: Done) -> Again | StopEvent | None:
        load.pass_by()
        if ctx.collect_events(ev, [Done] * await ctx.get("width")) is None:
            return None
        rounds = await ctx.get("rounds") - 1
        await ctx.set("rounds", rounds)
        return Again(number=rounds) if rounds else StopEvent(result="done")
