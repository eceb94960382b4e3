"""Workflows that ask a person: by a step that waits, or by the event that a step returns."""

from cairn import (
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.sending import Done, Part, Scatter


class Question(InputRequiredEvent):
    pass


class Answer(HumanResponseEvent):
    word: str


class Asking(Workflow):
    """A step sends, waits for a person, and sends on."""

    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> Part | None:
        ctx.send_event(Part(n=0))
        ctx.send_event(Part(n=1))
        answer = await ctx.wait_for_event(Answer, waiter_event=Question())
        await ctx.set("word", answer.word)
        return Part(n=2)

    @step
    async def work(self, ctx: Context, ev: Part) -> Done:
        await ctx.set("worked", await ctx.get("worked", default=0) + 1)
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * 3)
        if done is None:
            return None
        return StopEvent(result=[await ctx.get("word"), *sorted(d.get("n") for d in done)])


class AskingTwice(Workflow):
    """A step sends before, between and after two waits."""

    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> Part | None:
        ctx.send_event(Part(n=0))
        await ctx.wait_for_event(Answer, waiter_event=Question(n=1), requirements={"n": 1})
        ctx.send_event(Part(n=1))
        await ctx.wait_for_event(Answer, waiter_event=Question(n=2), requirements={"n": 2})
        return Part(n=2)

    @step
    async def gather(self, ctx: Context, ev: Part) -> StopEvent | None:
        parts = ctx.collect_events(ev, [Part] * 3)
        return None if parts is None else StopEvent(result=[p.get("n") for p in parts])


class CollectingAndAsking(Workflow):
    """The step that collects all parts then waits for a person."""

    @step
    async def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
        for n in range(3):
            ctx.send_event(Part(n=n))
        return None

    @step
    async def gather(self, ctx: Context, ev: Part) -> StopEvent | None:
        parts = ctx.collect_events(ev, [Part] * 3)
        if parts is None:
            return None
        answer = await ctx.wait_for_event(Answer, waiter_event=Question())
        return StopEvent(result=(answer.word, [p.get("n") for p in parts]))


class WritingAndAsking(Workflow):
    """A step writes a counter and then waits; meanwhile other steps add to the counter."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Scatter | Part | None:
        ctx.send_event(Scatter())
        for n in range(3):
            ctx.send_event(Part(n=n))
        return None

    @step
    async def ask(self, ctx: Context, ev: Scatter) -> Done:
        await ctx.set("count", await ctx.get("count", default=0) + 1)
        await ctx.wait_for_event(Answer, waiter_event=Question())
        return Done(n=0)

    @step
    async def add(self, ctx: Context, ev: Part) -> Done:
        await ctx.set("count", await ctx.get("count", default=0) + 1)
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        if ctx.collect_events(ev, [Done] * 4) is None:
            return None
        return StopEvent(result=await ctx.get("count"))


class Approving(Workflow):
    """A step asks a person by the event that it returns; another step takes the answer."""

    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> Question:
        await ctx.set("asked", True)
        return Question()

    @step
    async def hear(self, ctx: Context, ev: Answer) -> StopEvent:
        return StopEvent(result=(await ctx.get("asked"), ev.word))
