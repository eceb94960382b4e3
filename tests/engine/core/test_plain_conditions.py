"""The fast path of `advance` leaves to the draft each fact that comes to more than one event."""

import asyncio
from collections.abc import Callable

from cairn import (
    Context,
    Event,
    HumanResponseEvent,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    catch_error,
    step,
)
from cairn.engine.core import plain
from cairn.engine.core.advance import drafted
from cairn.engine.core.facts import Completed
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delivery, Snapshot
from cairn.engine.library.held_context import held
from cairn.engine.values.sealed import BATCH

BOUND = 10.0
LATER = 0.1
"""Seconds, after which no step waits any more."""


class Go(Event):
    """Takes the place of the start event, and nothing else."""


class Part(Event):
    """A member of a list."""


class Half(Event):
    """A part, half done."""


class Done(Event):
    """A part, done."""


class Left(Event):
    """One side of a join."""


class Right(Event):
    """The other side."""


class Wanted(HumanResponseEvent):
    """An answer."""


class Told(Event):
    """Says that the answer came."""


class Ring(Event):
    """Brings the answer."""


class Broken(Event):
    """Starts a step that fails."""


class Mended(Event):
    """Comes of a failure."""


class Everything(Workflow):
    """Lists, joins, waits and failures, each with plain events after and beside them."""

    @step
    async def first(self, ev: StartEvent) -> Go:
        return Go()

    @step
    async def begin(self, ctx: Context, ev: Go) -> list[Part]:
        for event in (Left(), Right(), Broken(), Told(), Ring()):
            ctx.send_event(event)
        return [Part(), Part()]

    @step
    async def halve(self, ev: Part) -> Half:
        await asyncio.sleep(LATER)
        return Half()

    @step
    async def finish(self, ev: Half) -> Done:
        return Done()

    @step
    async def gather(self, ev: list[Done]) -> Left:
        return Left()

    @step
    async def join(self, left: Left, right: Right) -> Right | None:
        await asyncio.sleep(LATER)
        return Right()

    @step
    async def ask(self, ctx: Context, ev: Told) -> Mended:
        await ctx.wait_for_event(Wanted)
        return Mended()

    @step
    async def ring(self, ev: Ring) -> Wanted:
        await asyncio.sleep(LATER / 2)
        return Wanted()

    @step
    async def overhear(self, ev: Wanted | Right) -> None:
        pass

    @step
    async def fail(self, ev: Broken) -> Mended:
        await asyncio.sleep(LATER)
        raise ValueError("broken")

    @catch_error
    async def catch(self, ev: StepFailedEvent) -> Part:
        return Part()

    @step
    async def go_on(self, ev: Mended) -> StopEvent | None:
        await asyncio.sleep(4 * LATER)
        return StopEvent()


async def records() -> list[Record]:
    """The facts of a run that comes to all of these."""
    handler = Everything(disable_validation=True).run()
    async with asyncio.timeout(BOUND):
        await handler
    return list(held(handler.ctx).runs.journal.records)


CONDITIONS: dict[str, Callable[[Snapshot, Delivery, Completed], object]] = {
    "a batch": lambda _, done, __: done.batch,
    "its own waits": lambda _, done, __: done.waiters,
    "waits of other steps": lambda before, *_: before.waits,
    "failures before it": lambda _, done, __: done.caught,
    "a stop": lambda _, __, fact: fact.output and fact.output.type == "StopEvent",
    "a join": lambda _, __, fact: fact.output and fact.output.type == "Right",
    "a list": lambda _, __, fact: fact.output and fact.output.type == BATCH,
}


async def test_the_fast_path_agrees_with_the_draft_or_leaves_the_fact_to_it() -> None:
    met = dict.fromkeys(CONDITIONS, 0)
    taken, before = 0, Snapshot()
    routes = Everything(disable_validation=True).graph.routes
    for record in await records():
        if isinstance(record.fact, Completed):
            done = before.deliveries[record.fact.delivery]
            fast = plain.delta(routes, before, record.fact)
            assert fast in (None, drafted(routes, before, record.fact)), record.fact
            taken += fast is not None
            for name, is_met in CONDITIONS.items():
                met[name] += bool(is_met(before, done, record.fact))
        before = record.snapshot
    assert all(met.values()), met
    assert taken
