"""What leaves much behind: a large value in its context, and as many checkpoints as asked."""

from cairn import Context, Event, StartEvent, StopEvent, Workflow, step


class Much(StartEvent):
    letter: str = "x"
    size: int = 50_000
    rounds: int = 3


class Round(Event):
    left: int


class HoardWorkflow(Workflow):
    """Keeps a large value, and goes round."""

    @step
    async def keep(self, ctx: Context, ev: Much) -> Round:
        await ctx.set("value", ev.letter * ev.size)
        return Round(left=ev.rounds)

    @step
    async def go_round(self, ctx: Context, ev: Round) -> Round | StopEvent:
        if ev.left == 0:
            return StopEvent(result=len(await ctx.get("value")))
        return Round(left=ev.left - 1)
