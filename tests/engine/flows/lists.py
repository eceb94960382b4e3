"""Workflows whose steps return lists and collect lists."""

import asyncio
from typing import Annotated

from cairn import (
    Collect,
    Context,
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Take,
    Workflow,
    step,
)


class Part(Event):
    n: int


class Word(Event):
    word: str


class Done(Event):
    n: int


class Said(Event):
    word: str


class Group(Event):
    n: int


class Total(Event):
    n: int


class Odd(Event):
    n: int


class Question(InputRequiredEvent):
    n: int


class Answer(HumanResponseEvent):
    n: int


class Width(StartEvent):
    width: int = 4


async def turns(count: int) -> None:
    """Let other tasks go on that many times: a duration without a clock."""
    for _ in range(count):
        await asyncio.sleep(0)


class Backwards(Workflow):
    """The last of the list is done first."""

    @step
    async def scatter(self, ev: Width) -> list[Part]:
        return [Part(n=n) for n in range(ev.width)]

    @step
    async def work(self, ctx: Context, ev: Part) -> Done:
        await turns(40 - 10 * ev.n)
        order = await ctx.get("order", default=[])
        await ctx.set("order", [*order, ev.n])
        return Done(n=ev.n)

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=[e.n for e in ev])


class FirstTwo(Workflow):
    """Takes the first two results to arrive; the last two members are done first."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(4)]

    @step
    async def work(self, ev: Part) -> Done:
        await turns(40 - 10 * ev.n)
        return Done(n=ev.n)

    @step
    async def gather(self, ev: Annotated[list[Done], Collect(Take(2))]) -> Total:
        return Total(n=10 * ev[0].n + ev[1].n)

    @step
    async def end(self, ctx: Context, ev: Total) -> StopEvent:
        return StopEvent(result=ev.n)


class FewerThanTaken(Workflow):
    """Would take five results, and of four members two give none."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(4)]

    @step
    async def work(self, ev: Part) -> Done | None:
        return Done(n=ev.n) if ev.n % 2 else None

    @step
    async def gather(self, ev: Annotated[list[Done], Collect(Take(5))]) -> StopEvent:
        return StopEvent(result=[e.n for e in ev])


class Nothing(Workflow):
    """An empty list is collected too."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return []

    @step
    async def work(self, ev: Part) -> Done:
        return Done(n=ev.n)

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=len(ev))


class TwoKinds(Workflow):
    """A list of two types of event, each worked on by a step of its own."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part | Word]:
        return [Part(n=0), Word(word="one"), Part(n=2), Word(word="three")]

    @step
    async def count(self, ev: Part) -> Done:
        await turns(20)
        return Done(n=ev.n)

    @step
    async def say(self, ev: Word) -> Said:
        return Said(word=ev.word)

    @step
    async def gather(self, ev: list[Done | Said]) -> StopEvent:
        return StopEvent(result=[e.n if isinstance(e, Done) else e.word for e in ev])


class TwoCollectors(Workflow):
    """Two steps collect from one batch, and a third takes the results of both."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(4)]

    @step
    async def work(self, ev: Part) -> Done | Odd:
        return Odd(n=ev.n) if ev.n % 2 else Done(n=ev.n)

    @step
    async def evens(self, ev: list[Done]) -> Total:
        return Total(n=sum(e.n for e in ev))

    @step
    async def odds(self, ev: list[Odd]) -> Group:
        return Group(n=sum(e.n for e in ev))

    @step
    async def both(self, total: Total, group: Group) -> StopEvent:
        return StopEvent(result=(total.n, group.n))


class BatchesAtOnce(Workflow):
    """Three batches of one step are open at once, and the results of each stay apart."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Group | None:
        for n in range(3):
            ctx.send_event(Group(n=n))
        return None

    @step
    async def scatter(self, ev: Group) -> list[Part]:
        return [Part(n=10 * ev.n + i) for i in range(3)]

    @step
    async def work(self, ev: Part) -> Done:
        await turns(7 * (ev.n % 10) + 3 * (ev.n // 10))
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: list[Done]) -> Total:
        found = await ctx.get("found", default={})
        await ctx.set("found", {**found, str(ev[0].n // 10): [e.n for e in ev]})
        return Total(n=len(ev))

    @step
    async def end(self, ctx: Context, ev: Total) -> StopEvent | None:
        if ctx.collect_events(ev, [Total] * 3) is None:
            return None
        found = await ctx.get("found")
        return StopEvent(result=[found[key] for key in sorted(found)])


class Nested(Workflow):
    """Each member of a list makes a list of its own; the first outer one is done last."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Group]:
        return [Group(n=n) for n in range(3)]

    @step
    async def split(self, ev: Group) -> list[Part]:
        return [Part(n=10 * ev.n + i) for i in range(ev.n)]

    @step
    async def work(self, ev: Part) -> Done:
        await turns(30 - ev.n)
        return Done(n=ev.n)

    @step
    async def gather(self, ev: list[Done]) -> Total:
        await turns(20 - 10 * len(ev))
        return Total(n=sum(e.n for e in ev))

    @step
    async def gather_all(self, ev: list[Total]) -> StopEvent:
        return StopEvent(result=[e.n for e in ev])


class Halving(Workflow):
    """A step collects the list that the same step returned, until one event is left."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Done]:
        return [Done(n=n) for n in range(6)]

    @step
    async def halve(self, ctx: Context, ev: list[Done]) -> list[Done] | StopEvent:
        await ctx.set("rounds", await ctx.get("rounds", default=0) + 1)
        if len(ev) == 1:
            return StopEvent(result=ev[0].n)
        return [Done(n=sum(e.n for e in ev[i : i + 2])) for i in range(0, len(ev), 2)]


class JoinedMembers(Workflow):
    """Two steps take each member, and their results are joined within the batch."""

    @step
    async def scatter(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step
    async def left(self, ev: Part) -> Done:
        return Done(n=ev.n)

    @step
    async def right(self, ev: Part) -> Odd:
        await turns(20)
        return Odd(n=ev.n + 10)

    @step
    async def join(self, done: Done, odd: Odd) -> Total:
        return Total(n=done.n * 100 + odd.n)

    @step
    async def gather(self, ev: list[Total]) -> StopEvent:
        return StopEvent(result=[e.n for e in ev])
