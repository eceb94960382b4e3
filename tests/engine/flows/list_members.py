"""Workflows whose lists have members that ask a person, fail, send or end the run."""

from typing import Annotated

from cairn import (
    Collect,
    ConstantDelayRetryPolicy,
    Context,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Take,
    Workflow,
    catch_error,
    step,
)
from tests.engine.flows.lists import (
    Answer,
    Done,
    Group,
    Part,
    Question,
    Total,
    Word,
    turns,
)


class AskingMember(Workflow):
    """Two members write, send, and then wait for a person."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step
    async def work(self, ctx: Context, ev: Part) -> Done | Word:
        await ctx.set("worked", await ctx.get("worked", default=0) + 1)
        ctx.send_event(Word(word=f"member {ev.n}"))
        if ev.n == 1:
            return Done(n=1)
        answer = await ctx.wait_for_event(
            Answer, waiter_event=Question(n=ev.n), requirements={"n": ev.n}
        )
        return Done(n=answer.n + 10)

    @step
    async def hear(self, ctx: Context, ev: Word) -> None:
        await ctx.set("heard", await ctx.get("heard", default=0) + 1)

    @step
    async def gather(self, ctx: Context, ev: list[Done]) -> StopEvent:
        return StopEvent(result=([e.n for e in ev], await ctx.get("worked")))


class CaughtMember(Workflow):
    """One member fails for good, after retries; a handler gives the missing result."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step(retry_policy=ConstantDelayRetryPolicy(maximum_attempts=3, delay=0))
    async def work(self, ctx: Context, ev: Part) -> Done | Word:
        await ctx.set("worked", await ctx.get("worked", default=0) + 1)
        ctx.send_event(Word(word="kept only if it completes"))
        if ev.n == 1:
            raise ValueError("the second one")
        return Done(n=ev.n)

    @step
    async def hear(self, ctx: Context, ev: Word) -> None:
        await ctx.set("heard", await ctx.get("heard", default=0) + 1)

    @catch_error(for_steps=["work"])
    async def mend(self, ev: StepFailedEvent) -> Done:
        await turns(20)
        return Done(n=100 * ev.attempts + ev.input_event.n)

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=[e.n for e in ev])


class FlakyMember(Workflow):
    """Every member fails once before it succeeds, while the others go on."""

    def __init__(self) -> None:
        super().__init__()
        self.failed: set[int] = set()

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step(retry_policy=ConstantDelayRetryPolicy(maximum_attempts=2, delay=0))
    async def work(self, ctx: Context, ev: Part) -> Done:
        await ctx.set("worked", await ctx.get("worked", default=0) + 1)
        if ev.n not in self.failed:
            self.failed.add(ev.n)
            raise ValueError("not yet")
        return Done(n=ev.n)

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=[e.n for e in ev])


class SendingMember(Workflow):
    """A member sends an event of the collected type, instead of returning the event."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step
    async def work(self, ctx: Context, ev: Part) -> Done | None:
        if ev.n == 1:
            ctx.send_event(Done(n=99))
            return None
        return Done(n=ev.n)

    @step
    async def count(self, ctx: Context, ev: Done) -> None:
        await ctx.set("seen", await ctx.get("seen", default=0) + 1)

    @step
    async def gather(self, ev: list[Done]) -> Total:
        await turns(20)
        return Total(n=100 * len(ev) + sum(e.n for e in ev))

    @step
    async def end(self, ctx: Context, ev: Total) -> StopEvent:
        return StopEvent(result=(ev.n, await ctx.get("seen")))


class StoppingEarly(Workflow):
    """The first result ends the run while an outer and an inner batch are open."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Group]:
        return [Group(n=n) for n in range(2)]

    @step
    async def split(self, ev: Group) -> list[Part]:
        return [Part(n=10 * ev.n + i) for i in range(2)]

    @step
    async def work(self, ev: Part) -> Done:
        await turns(5 if ev.n == 11 else 200)
        return Done(n=ev.n)

    @step
    async def gather(self, ev: Annotated[list[Done], Collect(Take(1))]) -> Total | StopEvent:
        return StopEvent(result=ev[0].n)

    @step
    async def gather_all(self, ev: list[Total]) -> StopEvent:
        return StopEvent(result="never")
