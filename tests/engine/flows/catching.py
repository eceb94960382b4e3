"""A workflow whose step fails with a given exception, and whose handler catches the failure."""

from cairn import (
    ConstantDelayRetryPolicy,
    Context,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    catch_error,
    step,
)
from tests.engine.flows.lists import Done, Odd, Part

NO_DELAY = ConstantDelayRetryPolicy(maximum_attempts=3, delay=0)


class NotFound(Exception):
    """An exception of a workflow's own, made of two arguments."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what, code)
        self.code = code

    def __str__(self) -> str:
        return f"{self.args[0]} ({self.code})"


class Mute(Exception):
    """An exception whose text cannot be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Failing(Workflow):
    """The second step raises the given error; `given` holds the failures that were caught."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = ValueError("broken") if error is None else error
        self.given: list[StepFailedEvent] = []

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part:
        await ctx.set("trail", ["begin"])
        return Part(n=7, note="kept")

    @step(retry_policy=NO_DELAY)
    async def work(self, ctx: Context, ev: Part) -> Done:
        ctx.send_event(Odd(n=1))
        await ctx.set("trail", [*await ctx.get("trail"), "work"])
        raise self.error

    @step
    async def odd(self, ctx: Context, ev: Odd) -> None:
        await ctx.set("odd", True)

    @step
    async def feed(self, ev: Done) -> Odd | StopEvent:
        return StopEvent(result=ev.n)

    @catch_error
    async def mend(self, ctx: Context, ev: StepFailedEvent) -> Done:
        self.given.append(ev)
        await ctx.set("trail", [*await ctx.get("trail"), "mend"])
        return Done(n=ev.attempts)
