"""What the steps of a planned workflow do to the state, and how they wait."""

import asyncio
from collections import Counter
from typing import Any

from cairn import Context, Workflow
from tests.engine.pieces import Answer, Execution, Question
from tests.engine.plans import Add, Ask, Plan

LONG = 1e6
"""Seconds that nobody waits for."""

START = 10
"""What a counter that nobody has set begins with."""


PAUSES = ((0, 0), (0, 0), (0, 0), (1, 0), (1, 0), (2, 0), (0, 1), (0, 2))
"""By ticks: how many turns of the loop, then how many seconds."""

SEEDS: dict[str, Any] = {"list": [], "set": set(), "map": {}, "edited": 0}
"""What a seeded plan sets first."""


class Acting(Workflow):
    """Acts as the plan says, and counts what it does outside of the run.

    Attributes:
        pace: 0 sleeps as the plan says, others otherwise.
        breaks: the piece whose step fails, if any does.
        started: the executions that have begun, every attempt.
        ended: those that have come to their end.
    """

    def __init__(self, plan: Plan, pace: int = 0, breaks: int | None = None) -> None:
        super().__init__()
        self.plan = plan
        self.pace = pace
        self.breaks = breaks
        self.started: Counter[Execution] = Counter()
        self.ended: Counter[Execution] = Counter()
        self._pauses = 0

    async def _ask(self, ctx: Context, n: int, ask: Ask) -> None:
        is_vain = ask.answered == "never"
        wanted = {"n": -1 if is_vain and not self.plan.is_last(n, ask) else n}
        timeout = float(ask.ticks + 1) if is_vain else LONG if ask.timed else None
        question = Question(n=n) if ask.answered == "late" else None
        try:
            answer = await ctx.wait_for_event(
                Answer, waiter_event=question, requirements=wanted, timeout=timeout
            )
        except TimeoutError:
            await self._append(ctx, "heard", [n, None], ask.ticks)
        else:
            await self._append(ctx, "heard", [n, answer.n], ask.ticks)

    async def _append(self, ctx: Context, key: str, item: Any, ticks: int) -> None:
        found = await ctx.get(key, default=[])
        await self._pause(ticks)
        await ctx.set(key, [*found, item])

    async def _add(self, ctx: Context, n: int, add: Add) -> None:
        if add.key == "plain":
            await ctx.set(f"plain {n}", f"piece {n}")
        elif add.key == "deep":
            await ctx.store.set(f"deep.{n}.{add.weight}", "there")
        elif add.key == "tally":
            path = f"tally.{add.weight}"
            count = await ctx.store.get(path, default=0)
            await self._pause(add.ticks)
            await ctx.store.set(path, count + 1)
        elif add.how == "edit":
            await self._edit(ctx, add)
        else:
            key, start = cell(add)
            found = await ctx.get(key, default=start)
            await self._pause(add.ticks)
            added = more(add, found)
            if added is not found or start is not None:
                await ctx.set(key, added)

    async def _edit(self, ctx: Context, add: Add) -> None:
        key, start = cell(add)
        async with ctx.store.edit_state() as state:
            await self._pause(add.ticks)
            state[key] = more(add, state.get(key, start))

    async def _pause(self, ticks: int) -> None:
        """Pause for nothing, for some turns of the loop, or for some seconds.

        At a pace other than 0 even equal events have unequal pauses: a step that is overtaken here
        overtakes there.
        """
        self._pauses += 1
        turns, seconds = PAUSES[(ticks + self.pace * (self.pace + self._pauses)) % len(PAUSES)]
        for _ in range(turns):
            await asyncio.sleep(0)
        if seconds:
            await asyncio.sleep(seconds)


def cell(add: Add) -> tuple[str, int | None]:
    """The key, and the start of its counter.

    Merging knows the default that a step has read with, but not one that a step puts in by itself,
    as an edit must.
    """
    if add.key != "count":
        return add.key, None
    return ("edited", 0) if add.how == "edit" else ("count", START)


def more(add: Add, found: Any) -> Any:
    """What was found, and the weight; changed in place where the plan says so."""
    if add.key == "count":
        return found + add.weight
    empty: Any = {"list": [], "set": set(), "map": {}}[add.key]
    value = empty if found is None else found if add.how != "set" else found.copy()
    match add.key:
        case "list":
            value.append(add.weight)
        case "set":
            value.add(add.weight)
        case _:
            value[str(add.weight)] = value.get(str(add.weight), 0) + 1
    return value
