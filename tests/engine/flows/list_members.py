"""Workflows whose lists have members that wait, fail, send or stop; and a row of all with lists."""

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
    Backwards,
    BatchesAtOnce,
    Done,
    FewerThanTaken,
    FirstTwo,
    Group,
    Halving,
    JoinedMembers,
    Nested,
    Nothing,
    Part,
    Question,
    Total,
    TwoCollectors,
    TwoKinds,
    Word,
    turns,
)
from tests.engine.flows.sending import Shape


class AskingMember(Workflow):
    """Two members wait for a person in their middle, having written and sent."""

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
    """One member fails for good, after retries; another step gives what it should have given."""

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
    """A member sends what the collecting step would take, had it been returned."""

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


LISTS = [
    Shape(Backwards, [0, 1, 2, 3]),
    Shape(FirstTwo, 32),
    Shape(FewerThanTaken, [1, 3]),
    Shape(Nothing, 0),
    Shape(TwoKinds, [0, "one", 2, "three"]),
    Shape(TwoCollectors, (2, 4)),
    Shape(BatchesAtOnce, [[0, 1, 2], [10, 11, 12], [20, 21, 22]]),
    Shape(Nested, [0, 10, 41]),
    Shape(Halving, 15),
    Shape(JoinedMembers, [10, 111, 212]),
    Shape(AskingMember, ([10, 1, 12], 3), (Answer(n=0), Answer(n=2))),
    Shape(CaughtMember, [0, 301, 2]),
    Shape(FlakyMember, [0, 1, 2]),
    Shape(SendingMember, (202, 3)),
    Shape(StoppingEarly, 11),
]
