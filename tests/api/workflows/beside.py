"""Two steps beside each other: one stands at its gate while the other completes."""

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step
from tests.api.gates import executed, gates


class Both(StartEvent):
    gate: str


class Quick(Event):
    n: int = 1


class Standing(Event):
    gate: str
    n: int = 1


class Part(Event):
    n: int


class BesideWorkflow(Workflow):
    """Adds up what a quick and a standing step give, and counts both in the state."""

    @step
    async def begin(self, ctx: Context, ev: Both) -> Quick | Standing:
        executed.append("begin")
        await ctx.set("notes", {"tone": "plain", "by": ["begin"]})
        ctx.send_event(Standing(gate=ev.gate))
        return Quick()

    @step
    async def quick(self, ctx: Context, ev: Quick) -> Part:
        executed.append("quick")
        await ctx.set("count", await ctx.get("count", default=0) + 1)
        return Part(n=ev.n)

    @step
    async def stand(self, ctx: Context, ev: Standing) -> Part:
        executed.append("stand")
        count = await ctx.get("count", default=0)
        await gates[ev.gate].stand()
        await ctx.set("count", count + 10)
        return Part(n=10 * ev.n)

    @step
    async def add(self, ctx: Context, ev: Part) -> StopEvent | None:
        executed.append("add")
        parts = ctx.collect_events(ev, [Part, Part])
        if parts is None:
            return None
        notes = await ctx.get("notes")
        return StopEvent(
            result=[sum(p.n for p in parts), await ctx.get("count"), notes.get("tone")]
        )
