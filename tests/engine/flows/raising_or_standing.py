"""Workflows whose second step raises a given error, or stands still until it is released."""

import asyncio

from cairn import (
    Context,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.sending import Part
from tests.engine.tools.runs import until


class Raises(Workflow):
    """The second step raises the given error; without one, the run completes."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part:
        return Part(n=1)

    @step
    async def work(self, ev: Part) -> StopEvent:
        if self.error is not None:
            raise self.error
        return StopEvent(result="done")


class Standing(Workflow):
    """The second step stands still until `go_on` is set."""

    def __init__(self, timeout: float | None = None) -> None:
        super().__init__(timeout=timeout)
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        self.cleaned_up = False

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part:
        await ctx.set("begun", await ctx.get("begun", default=0) + 1)
        return Part(n=1)

    @step
    async def stand(self, ctx: Context, ev: Part) -> StopEvent:
        self.reached.set()
        try:
            await until(self.go_on)
        finally:
            self.cleaned_up = True
        return StopEvent(result=await ctx.get("begun"))
