"""A workflow that adds to one list, again and again."""

import random

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step


class Hoard(StartEvent):
    """How often, and how many bytes each time."""

    times: int
    each: int


class Again(Event):
    """One more."""

    left: int
    each: int


class HoardingWorkflow(Workflow):
    """Keeps all that it has ever had."""

    @step
    async def add(self, ctx: Context, ev: Hoard | Again) -> Again | StopEvent:
        left = ev.times if isinstance(ev, Hoard) else ev.left
        kept = await ctx.get("kept", default=[])
        if not left:
            return StopEvent(result=len(kept))
        await ctx.set("kept", [*kept, random.randbytes(ev.each // 2).hex()])
        return Again(left=left - 1, each=ev.each)
