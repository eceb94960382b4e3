"""The actions of a plan: adding to the state, and waiting for an answer."""

import asyncio
from collections import Counter
from typing import Any

from cairn import Context, Workflow
from tests.engine.planned.events import Answer, Execution, Question
from tests.engine.planned.plan import Add, Ask, Plan

LONG = 1e6
"""Seconds of a timeout that never runs out."""

START = 10
"""The value of a counter before the first addition."""

PAUSES = ((0, 0), (0, 0), (0, 0), (1, 0), (1, 0), (2, 0), (0, 1), (0, 2))
"""Pauses by ticks: turns of the loop, then seconds."""

SEEDS: dict[str, Any] = {"list": [], "set": set(), "map": {}, "edited": 0}
"""The state that the first step of a seeded plan sets."""


class Acting(Workflow):
    """Acts as the plan says, and counts executions outside of the run.

    Attributes:
        pace: 0 pauses as the plan says; every other number pauses otherwise.
        breaks: the piece whose step fails the run; none if `None`.
        started: the attempts that have begun, by execution.
        ended: the attempts that have come to their end, by execution.
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
        """Pause for no time, some turns of the loop, or some seconds.

        At a pace other than 0, equal events have unequal pauses: a step that is overtaken in one
        run overtakes in another.
        """
        self._pauses += 1
        turns, seconds = PAUSES[(ticks + self.pace * (self.pace + self._pauses)) % len(PAUSES)]
        for _ in range(turns):
            await asyncio.sleep(0)
        if seconds:
            await asyncio.sleep(seconds)


def cell(add: Add) -> tuple[str, int | None]:
    """The key, and the start of its counter; `None` where the key holds no counter.

    A merge knows the default that `get` was given, and no default that an edit puts in itself. So
    edits count under a key of their own, which begins at 0.
    """
    if add.key != "count":
        return add.key, None
    return ("edited", 0) if add.how == "edit" else ("count", START)


def more(add: Add, found: Any) -> Any:
    """The value found with the weight added: added in place where the plan says so."""
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
