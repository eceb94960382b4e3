"""Runs of any shape and pace: a rerun, or a run that was broken off, gives what the whole gave."""

import asyncio
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cairn import (
    Context,
    Event,
    Handler,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.sending import Done
from tests.engine.tools.runs import BOUND, ended, own, rerun_everywhere


class Plan(Event):
    """A piece of work: its weight, its pauses before and after writing that, and its followers."""

    weight: int
    pauses: int
    lingers: int
    follow: list[Any]


class Start(StartEvent):
    plan: dict[str, Any]
    pieces: int


class Tree(Workflow):
    """Works on a plan and all that follows from it, and gathers what came of every piece.

    A piece sends one half of what follows before it pauses, and the other after that; meanwhile
    others read and write what it has read.
    """

    @step
    async def begin(self, ctx: Context, ev: Start) -> Plan:
        await ctx.set("pieces", ev.pieces)
        await ctx.set("log", [])
        return Plan(**ev.plan)

    @step(num_workers=3)
    async def work(self, ctx: Context, ev: Plan) -> Done | Plan:
        total = await ctx.get("total", default=0)
        half = len(ev.follow) // 2
        for plan in ev.follow[:half]:
            ctx.send_event(Plan(**plan))
        await pause(ev.pauses)
        await ctx.set("total", total + ev.weight)
        weights = await ctx.get("weights", default=set())
        await ctx.set("weights", weights | {ev.weight})
        await ctx.set("log", [*await ctx.get("log"), ev.weight])
        await pause(ev.lingers)
        (await ctx.get("log")).append(ev.weight)
        for plan in ev.follow[half:]:
            ctx.send_event(Plan(**plan))
        return Done(n=ev.weight)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * await ctx.get("pieces"))
        if done is None:
            return None
        await ctx.set("log", sorted(await ctx.get("log")))
        total, log = await ctx.get("total"), await ctx.get("log")
        return StopEvent(result=(total, log, sorted(d.get("n") for d in done)))


async def pause(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def plan(weight: int, pauses: int, lingers: int, follow: list[dict[str, Any]]) -> dict[str, Any]:
    return {"weight": weight, "pauses": pauses, "lingers": lingers, "follow": follow}


WEIGHTS = st.integers(0, 3)  # small: equal events are the hard case
PAUSES = st.integers(0, 12)
PLANS = st.recursive(
    st.builds(plan, WEIGHTS, PAUSES, PAUSES, st.just([])),
    lambda plans: st.builds(plan, WEIGHTS, PAUSES, PAUSES, st.lists(plans, max_size=4)),
    max_leaves=8,
)


def weights(found: dict[str, Any]) -> list[int]:
    return [found["weight"], *(w for follow in found["follow"] for w in weights(follow))]


def run(workflow: Tree, found: dict[str, Any]) -> Handler:
    return workflow.run(plan=found, pieces=len(weights(found)))


def expected(found: dict[str, Any]) -> tuple[int, list[int], list[int]]:
    return sum(weights(found)), sorted(weights(found) * 2), sorted(weights(found))


@settings(max_examples=40, deadline=None)
@given(PLANS)
async def test_a_rerun_from_any_checkpoint_of_any_run_gives_the_same(found: dict[str, Any]) -> None:
    workflow = Tree()
    source = run(workflow, found)
    assert await ended(source) == expected(found)
    await rerun_everywhere(workflow, source)


@settings(max_examples=15, deadline=None)
@given(PLANS)
async def test_an_adopting_rerun_from_any_checkpoint_of_any_run_gives_the_same(
    found: dict[str, Any],
) -> None:
    workflow = Tree()
    source = run(workflow, found)
    assert await ended(source) == expected(found)
    await rerun_everywhere(workflow, source, in_flight="adopt")


INSTANTS = st.lists(st.integers(0, 40), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None)
@given(PLANS, INSTANTS)
async def test_a_run_broken_off_at_any_instants_goes_on_from_its_last_checkpoint(
    found: dict[str, Any], instants: list[int]
) -> None:
    workflow = Tree()
    tries = await broken_off(workflow, lambda: run(workflow, found), instants)
    assert await ended(tries[-1]) == expected(found)
    worked = [c for handler in tries for c in own(handler) if c.last_completed_step == "work"]
    assert len(worked) == len(weights(found))


async def broken_off(
    workflow: Workflow, start: Callable[[], Handler], instants: list[int]
) -> list[Handler]:
    """Start a run, break it off after so many turns of the loop, and go on from where it stood."""
    tries = [start()]
    for instant in instants:
        await pause(instant)
        await tries[-1].cancel_run()
        if tries[-1].exception() is None:
            break
        last = [checkpoint for handler in tries for checkpoint in own(handler)][-1:]
        tries.append(workflow.run_from(checkpoint=last[0]) if last else start())
    return tries


class A(Event):
    n: int
    lingers: int


class B(Event):
    n: int
    lingers: int


class Row(StartEvent):
    events: list[Any]


class Pairs(Workflow):
    """Collects pairs, and stays for a while after it has put an event by."""

    @step
    async def begin(self, ctx: Context, ev: Row) -> A | B | None:
        await ctx.set("count", len(ev.events))
        for n, (is_a, lingers) in enumerate(ev.events):
            ctx.send_event(A(n=n, lingers=lingers) if is_a else B(n=n, lingers=lingers))
        return None

    @step(num_workers=3)
    async def pair(self, ctx: Context, ev: A | B) -> Done:
        pair = ctx.collect_events(ev, [A, B])
        if pair is not None:
            pairs = await ctx.get("pairs", default=set())
            await ctx.set("pairs", pairs | {(pair[0].get("n"), pair[1].get("n"))})
        await pause(ev.lingers)
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * await ctx.get("count"))
        return None if done is None else StopEvent(result=await ctx.get("pairs", default=set()))


ROWS = st.lists(st.tuples(st.booleans(), PAUSES), min_size=1, max_size=10)


def first_in_first_out(events: list[tuple[bool, int]]) -> set[tuple[int, int]]:
    first = [n for n, (is_a, _) in enumerate(events) if is_a]
    second = [n for n, (is_a, _) in enumerate(events) if not is_a]
    return set(zip(first, second, strict=False))


@settings(max_examples=40, deadline=None)
@given(ROWS)
async def test_a_rerun_from_any_checkpoint_collects_the_same_pairs(
    events: list[tuple[bool, int]],
) -> None:
    workflow = Pairs()
    source = workflow.run(events=events)
    assert await ended(source) == first_in_first_out(events)
    await rerun_everywhere(workflow, source)


@settings(max_examples=15, deadline=None)
@given(ROWS)
async def test_an_adopting_rerun_from_any_checkpoint_collects_the_same_pairs(
    events: list[tuple[bool, int]],
) -> None:
    workflow = Pairs()
    source = workflow.run(events=events)
    assert await ended(source) == first_in_first_out(events)
    await rerun_everywhere(workflow, source, in_flight="adopt")


@settings(max_examples=60, deadline=None)
@given(ROWS, INSTANTS)
async def test_a_run_broken_off_at_any_instants_collects_the_same_pairs(
    events: list[tuple[bool, int]], instants: list[int]
) -> None:
    workflow = Pairs()
    tries = await broken_off(workflow, lambda: workflow.run(events=events), instants)
    assert await ended(tries[-1]) == first_in_first_out(events)


async def test_a_hundred_runs_at_once_are_apart() -> None:
    workflow = Tree()
    found = plan(1, 3, 3, [plan(n, n, 3 - n, []) for n in range(4)])
    async with asyncio.timeout(BOUND):
        results = await asyncio.gather(*(run(workflow, found) for _ in range(100)))
    assert results == [expected(found)] * 100
