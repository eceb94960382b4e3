"""The load, as a workflow: one step, which goes round and counts."""

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step
from tests.benchmarks.durable.load import Load


class Start(StartEvent):
    """Begins a run of a load."""

    steps: int
    size: int = 1_000
    touched: bool = False


class Round(Event):
    """Once more."""

    number: int
    steps: int
    size: int
    touched: bool


class Counting(Workflow):
    """Counts to `steps`, in as many steps."""

    @step
    async def count(self, ctx: Context, ev: Start | Round) -> Round | StopEvent:
        number = ev.number if isinstance(ev, Round) else 0
        load = Load(ev.steps, 1, ev.size, ev.touched)
        if (big := load.value(number)) is not None:
            await ctx.set("value", big)
        number += 1
        await ctx.set("count", number)
        if number == ev.steps:
            return StopEvent(result=number)
        return Round(number=number, steps=ev.steps, size=ev.size, touched=ev.touched)
