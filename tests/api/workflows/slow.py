"""What takes as long as the test wants."""

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step
from tests.api.gates import gates


class Gated(StartEvent):
    """Where the second step stands."""

    gate: str


class Arrived(Event):
    gate: str


class SlowWorkflow(Workflow):
    """Stands at its gate until it is opened."""

    @step
    async def arrive(self, ctx: Context, ev: Gated) -> Arrived:
        await ctx.set("at", ev.gate)
        return Arrived(gate=ev.gate)

    @step
    async def stand(self, ev: Arrived) -> StopEvent:
        await gates[ev.gate].stand()
        return StopEvent(result=f"through {ev.gate}")
