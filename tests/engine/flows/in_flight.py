"""Workflows that have steps under way while another step completes."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from cairn import (
    Checkpoint,
    Context,
    Event,
    Handler,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.sending import Done, Part
from tests.engine.tools.runs import own, until


class Quick(Event):
    pass


class Ticked(Event):
    pass


class Slow(Event):
    n: int


class Beside(Workflow):
    """A quick step completes; slow steps begin before and go on afterwards.

    Attributes:
        begins: the events that the run begins with, besides the quick step's event.
        executed: the number of starts of each step that counts its starts.
        held: the quick step completes once this is set.
        opened: the slow steps go on once this is set.
    """

    begins: tuple[Event, ...] = ()

    def __init__(self) -> None:
        super().__init__(disable_validation=True)  # what `begin` sends, only `begins` says
        self.executed: Counter[str] = Counter()
        self.held, self.opened = asyncio.Event(), asyncio.Event()
        self.held.set()

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Quick | None:
        for event in self.begins:
            ctx.send_event(event)
        return Quick()

    @step
    async def quick(self, ev: Quick) -> Ticked:
        await until(self.held)
        return Ticked()

    @step
    async def open(self, ev: Ticked) -> None:
        self.opened.set()


def amid(source: Handler) -> Checkpoint:
    """The checkpoint that the quick step has left."""
    return next(c for c in own(source) if c.last_completed_step == "quick")


class Members(Workflow):
    """Works on three parts of a list at once; the first part is done before the others."""

    def __init__(self) -> None:
        super().__init__()
        self.executed: Counter[str] = Counter()
        self.opened = asyncio.Event()

    @step
    async def begin(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step
    async def work(self, ctx: Context, ev: Part) -> Done:
        self.executed["work"] += 1
        if ev.n:
            await until(self.opened)
        self.opened.set()
        await ctx.set("worked", await ctx.get("worked", default=0) + 1)
        return Done(n=ev.n)

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=numbers(ev))


def first_worked(source: Handler) -> Checkpoint:
    """The checkpoint that the first part has left."""
    return next(c for c in own(source) if c.last_completed_step == "work")


def numbers(events: Sequence[Event]) -> list[int]:
    """The numbers that the events bring."""
    return [event.get("n") for event in events]
