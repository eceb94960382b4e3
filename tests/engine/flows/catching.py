"""A workflow that fails as it is told to, with exceptions of all kinds."""

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
    """A workflow's own, which is made of two things."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(what, code)
        self.code = code

    def __str__(self) -> str:
        return f"{self.args[0]} ({self.code})"


class Mute(Exception):
    """Has no text that could be read."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class Failing(Workflow):
    """Its second step raises what it is told to, and says what its handler was given."""

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
