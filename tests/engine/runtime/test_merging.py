"""How what steps wrote side by side is merged, and what is seen of it before it is kept."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest

from cairn import Context, StartEvent, StopEvent, Workflow, step
from tests.engine.flows.sending import Done, Left, Part, Right
from tests.engine.tools.runs import ended, own, state, until

MISSING: Any = object()


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class TwoWriters(Workflow):
    """Two steps read `value`; then one writes and completes, and only then the other."""

    def __init__(
        self,
        initial: Any,
        earlier: Callable[[Any], Any],
        later: Callable[[Any], Any],
        default: Any = None,
    ) -> None:
        super().__init__()
        self.initial, self.earlier, self.later = initial, earlier, later
        self.default = default
        self.later_has_read = asyncio.Event()
        self.earlier_completed = asyncio.Event()

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Left | Right | None:
        if self.initial is not MISSING:
            await ctx.set("value", self.initial)
        ctx.send_event(Left(n=1))
        ctx.send_event(Right(n=2))
        return None

    @step
    async def write_earlier(self, ctx: Context, ev: Left) -> Done:
        await self.write(ctx, self.earlier, self.later_has_read)
        return Done(n=1)

    @step
    async def write_later(self, ctx: Context, ev: Right) -> Done:
        await self.write(ctx, self.later, self.earlier_completed)
        return Done(n=2)

    async def write(self, ctx: Context, make: Callable[[Any], Any], first: asyncio.Event) -> None:
        read = await ctx.get("value", default=self.default)
        if first is self.earlier_completed:
            self.later_has_read.set()
        await until(first)
        await ctx.set("value", make(read))

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        self.earlier_completed.set()
        if ctx.collect_events(ev, [Done, Done]) is None:
            return None
        return StopEvent(result=await ctx.get("value"))


def plus(amount: Any) -> Callable[[Any], Any]:
    return lambda read: amount if read is None else read + amount


def joined(more: Any) -> Callable[[Any], Any]:
    return lambda read: more if read is None else read | more


def without(key: str) -> Callable[[Any], Any]:
    return lambda read: {k: v for k, v in read.items() if k != key}


def put(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


@pytest.mark.parametrize(
    ("initial", "earlier", "later", "merged"),
    [
        pytest.param(1, plus(2), plus(3), 6, id="numbers add"),
        pytest.param(10, plus(-2), plus(-3), 5, id="numbers subtract"),
        pytest.param(0.5, plus(0.25), plus(1), 1.75, id="fractions add"),
        pytest.param(2**70, plus(1), plus(1), 2**70 + 2, id="huge numbers add"),
        pytest.param(Decimal("1.10"), plus(Decimal("0.10")), plus(Decimal("0.20")),
                     Decimal("1.40"), id="decimals add"),
        pytest.param(MISSING, plus(1), plus(1), 2, id="numbers add to nothing"),
        pytest.param([0], plus([1]), plus([2]), [0, 1, 2], id="lists append"),
        pytest.param([1], plus([1]), plus([1]), [1, 1, 1], id="equal items are two items"),
        pytest.param(MISSING, plus(["a"]), plus(["b"]), ["a", "b"], id="lists append to nothing"),
        pytest.param({1}, joined({2}), joined({3}), {1, 2, 3}, id="sets unite"),
        pytest.param(MISSING, joined({1}), joined({2}), {1, 2}, id="sets unite with nothing"),
        pytest.param(frozenset({1}), joined({2}), joined({3}), frozenset({1, 2, 3}),
                     id="frozen sets unite"),
        pytest.param({"a": 1}, joined({"b": 2}), joined({"c": 3}), {"a": 1, "b": 2, "c": 3},
                     id="mappings merge by key"),
        pytest.param({1: "a"}, joined({2: "b"}), joined({3: "c"}), {1: "a", 2: "b", 3: "c"},
                     id="mappings with numbers as keys merge by key"),
        pytest.param(MISSING, joined({"b": 2}), joined({"c": 3}), {"b": 2, "c": 3},
                     id="mappings merge with nothing"),
        pytest.param({"a": "x"}, joined({"a": "y"}), joined({"b": 1}), {"a": "y", "b": 1},
                     id="the other keys of a mapping stay as changed"),
        pytest.param({"a": "x"}, joined({"a": "y"}), joined({"a": "z"}), {"a": "z"},
                     id="the later replaces the same key"),
        pytest.param({"a": 1, "b": 2}, without("a"), joined({"c": 3}), {"b": 2, "c": 3},
                     id="a removed key stays removed"),
        pytest.param({"n": 1}, lambda read: {"n": read["n"] + 1},
                     lambda read: {"n": read["n"] + 1}, {"n": 3}, id="counters in a mapping add"),
        pytest.param("a", plus("b"), plus("c"), "ac", id="of texts the later replaces"),
        pytest.param(False, put(True), put(True), True, id="truths do not add"),
        pytest.param((1,), plus((2,)), plus((3,)), (1, 3), id="of tuples the later replaces"),
        pytest.param(None, put("a"), put("b"), "b", id="nothing is replaced by the later"),
        pytest.param(Colour.RED, put(Colour.BLUE), put(Colour.RED), Colour.RED,
                     id="of members the later replaces"),
        pytest.param([1], put({"a": 1}), put([1, 2]), [1, 2], id="of two types the later replaces"),
        pytest.param(1, put("one"), plus(1), 2, id="a number does not add to a text"),
    ],
)  # fmt: skip
async def test_what_two_steps_wrote_is_merged(
    initial: Any, earlier: Callable[[Any], Any], later: Callable[[Any], Any], merged: Any
) -> None:
    workflow = TwoWriters(initial, earlier, later)
    handler = workflow.run()
    result = await ended(handler)
    assert result == merged
    assert type(result) is type(merged)
    assert await handler.ctx.get("value") == merged


@pytest.mark.parametrize(
    ("default", "earlier", "later", "merged"),
    [
        (0, plus(1), plus(1), 2),
        (5, plus(1), plus(1), 7),
        ([], plus(["a"]), plus(["b"]), ["a", "b"]),
        (["x"], plus(["a"]), plus(["b"]), ["x", "a", "b"]),
        (set(), joined({1}), joined({2}), {1, 2}),
        ({}, joined({"b": 2}), joined({"c": 3}), {"b": 2, "c": 3}),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
async def test_what_two_steps_wrote_over_a_default_is_merged(
    default: Any, earlier: Callable[[Any], Any], later: Callable[[Any], Any], merged: Any
) -> None:
    assert await ended(TwoWriters(MISSING, earlier, later, default).run()) == merged


class LateCompletion(Workflow):
    """A step writes and stays; another reads that, writes and completes before it."""

    def __init__(
        self,
        initial: Any,
        slow: Callable[[Any], Any],
        fast: Callable[[Any], Any],
        default: Any = None,
    ) -> None:
        super().__init__()
        self.initial, self.slow, self.fast = initial, slow, fast
        self.default = default
        self.wrote, self.seen = asyncio.Event(), asyncio.Event()

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Left | Right | None:
        if self.initial is not MISSING:
            await ctx.set("value", self.initial)
        ctx.send_event(Left(n=0))
        ctx.send_event(Right(n=0))
        return None

    @step
    async def write_and_stay(self, ctx: Context, ev: Left) -> Done:
        await ctx.set("value", self.slow(await ctx.get("value", default=self.default)))
        self.wrote.set()
        await until(self.seen)
        return Done(n=1, saw=await ctx.get("value"))

    @step
    async def write_and_go(self, ctx: Context, ev: Right) -> Part:
        await until(self.wrote)
        value = await ctx.get("value", default=self.default)
        await ctx.set("value", self.fast(value))
        return Part(n=0, saw=value)

    @step
    async def note(self, ctx: Context, ev: Part) -> Done:
        self.seen.set()
        return Done(n=0, saw=ev["saw"])

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done, Done])
        if done is None:
            return None
        saw = [d["saw"] for d in sorted(done, key=lambda d: bool(d.get("n")))]
        return StopEvent(result=(saw, await ctx.get("value")))


STAYING = pytest.mark.parametrize(
    ("initial", "slow", "fast"),
    [
        pytest.param(0, plus(1), plus(10), id="a number"),
        pytest.param(MISSING, plus(1), plus(10), id="a new number"),
        pytest.param([0], plus([1]), plus([10]), id="a list"),
        pytest.param(MISSING, plus([1]), plus([10]), id="a new list"),
        pytest.param({0}, joined({1}), joined({10}), id="a set"),
        pytest.param(MISSING, joined({1}), joined({10}), id="a new set"),
        pytest.param({"a": 1}, joined({"b": 1}), joined({"c": 10}), id="a mapping"),
        pytest.param(MISSING, joined({"b": 1}), joined({"c": 10}), id="a new mapping"),
    ],
)


@STAYING
async def test_what_a_step_writes_is_seen_by_other_steps_at_once(
    initial: Any, slow: Callable[[Any], Any], fast: Callable[[Any], Any]
) -> None:
    (saw_slow, saw_both), _ = await ended(LateCompletion(initial, slow, fast).run())
    written = slow(None if initial is MISSING else initial)
    assert saw_slow == written
    assert _as_bag(saw_both) == _as_bag(fast(written))


@STAYING
async def test_a_checkpoint_holds_only_what_completed_steps_wrote(
    initial: Any, slow: Callable[[Any], Any], fast: Callable[[Any], Any]
) -> None:
    workflow = LateCompletion(initial, slow, fast)
    handler = workflow.run()
    await ended(handler)
    gone = next(c for c in own(handler) if c.last_completed_step == "write_and_go")
    there = None if initial is MISSING else initial
    assert _as_bag(state(gone)["value"]) == _as_bag(fast(there))
    _, value = await ended(workflow.run_from(checkpoint=gone))
    assert _as_bag(value) == _as_bag(slow(fast(there)))


async def test_a_default_is_counted_from_once() -> None:
    workflow = LateCompletion(MISSING, plus(1), plus(10), default=5)
    handler = workflow.run()
    assert await ended(handler) == ([6, 16], 16)
    gone = next(c for c in own(handler) if c.last_completed_step == "write_and_go")
    assert state(gone)["value"] == 15


@STAYING
async def test_what_two_steps_wrote_is_in_the_end_there_once(
    initial: Any, slow: Callable[[Any], Any], fast: Callable[[Any], Any]
) -> None:
    _, value = await ended(LateCompletion(initial, slow, fast).run())
    assert _as_bag(value) == _as_bag(fast(slow(None if initial is MISSING else initial)))


def _as_bag(value: Any) -> Any:
    """Lists append in the order of completion: which order that is, is not asked here."""
    return sorted(value) if isinstance(value, list | set) else value


class Interleaved(Workflow):
    """One step writes before and after another one does; either may be the first to complete."""

    def __init__(self, initial: Any, writes: list[Callable[[Any], Any]], first: str) -> None:
        super().__init__()
        self.initial, self.writes, self.first = initial, writes, first
        self.wrote_before, self.wrote_between, self.wrote_after, self.completed = (
            asyncio.Event() for _ in range(4)
        )

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Left | Right | None:
        if self.initial is not MISSING:
            await ctx.set("value", self.initial)
        ctx.send_event(Left(n=0))
        ctx.send_event(Right(n=0))
        return None

    @step
    async def around(self, ctx: Context, ev: Left) -> Part:
        await self.write(ctx, 0)
        self.wrote_before.set()
        await until(self.wrote_between)
        await self.write(ctx, 2)
        self.wrote_after.set()
        if self.first != "around":
            await until(self.completed)
        return Part(n=1)

    @step
    async def between(self, ctx: Context, ev: Right) -> Part:
        await until(self.wrote_before)
        await self.write(ctx, 1)
        self.wrote_between.set()
        await until(self.wrote_after)
        if self.first != "between":
            await until(self.completed)
        return Part(n=1)

    async def write(self, ctx: Context, n: int) -> None:
        await ctx.set("value", self.writes[n](await ctx.get("value", default=None)))

    @step
    async def gather(self, ctx: Context, ev: Part) -> StopEvent | None:
        self.completed.set()
        if ctx.collect_events(ev, [Part, Part]) is None:
            return None
        return StopEvent(result=await ctx.get("value"))


@pytest.mark.parametrize("first", ["around", "between"])
@pytest.mark.parametrize(
    ("initial", "writes"),
    [
        pytest.param(0, [plus(1), plus(10), plus(100)], id="a number"),
        pytest.param(MISSING, [plus(1), plus(10), plus(100)], id="a new number"),
        pytest.param([0], [plus([1]), plus([10]), plus([100])], id="a list"),
        pytest.param(MISSING, [plus([1]), plus([10]), plus([100])], id="a new list"),
        pytest.param({0}, [joined({1}), joined({10}), joined({100})], id="a set"),
        pytest.param(MISSING, [joined({1}), joined({10}), joined({100})], id="a new set"),
        pytest.param(MISSING, [joined({k: 1}) for k in "abc"], id="a new mapping"),
    ],
)
async def test_what_steps_write_in_turns_is_in_the_end_there_once(
    initial: Any, writes: list[Callable[[Any], Any]], first: str
) -> None:
    workflow = Interleaved(initial, writes, first)
    handler = workflow.run()
    before, between, after = writes
    start = None if initial is MISSING else initial
    assert _as_bag(await ended(handler)) == _as_bag(after(between(before(start))))
    completed = next(c for c in own(handler) if c.last_completed_step in ("around", "between"))
    assert completed.last_completed_step == first
    only = between(start) if first == "between" else after(before(start))
    assert _as_bag(state(completed)["value"]) == _as_bag(only)
    again = await ended(workflow.run_from(checkpoint=completed))
    assert _as_bag(again) == _as_bag(after(between(before(start))))


async def test_a_blind_write_replaces_what_is_there() -> None:
    class Blind(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Left | Right | None:
            ctx.send_event(Left(n=5))
            ctx.send_event(Right(n=5))
            return None

        @step
        async def write(self, ctx: Context, ev: Left | Right) -> Done:
            await ctx.set("value", ev.n)
            return Done(n=1)

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            if ctx.collect_events(ev, [Done, Done]) is None:
                return None
            return StopEvent(result=await ctx.get("value"))

    assert await ended(Blind().run()) == 5


async def test_in_place_changes_of_parallel_steps_merge() -> None:
    class InPlace(Workflow):
        def __init__(self) -> None:
            super().__init__()
            self.read = 0
            self.all_read = asyncio.Event()

        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
            await ctx.set("found", {"items": [], "kinds": set()})
            for n in range(3):
                ctx.send_event(Part(n=n))
            return None

        @step
        async def work(self, ctx: Context, ev: Part) -> Done:
            found = await ctx.get("found")
            self.read += 1
            if self.read == 3:
                self.all_read.set()
            await until(self.all_read)
            found["items"].append(ev.n)
            found["kinds"].add(ev.n % 2)
            return Done(n=ev.n)

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            if ctx.collect_events(ev, [Done] * 3) is None:
                return None
            found = await ctx.get("found")
            return StopEvent(result=(sorted(found["items"]), found["kinds"]))

    workflow = InPlace()
    handler = workflow.run()
    assert await ended(handler) == ([0, 1, 2], {0, 1})
    for checkpoint in own(handler)[:-1]:
        rerun = workflow.run_from(checkpoint=checkpoint)
        assert await ended(rerun) == ([0, 1, 2], {0, 1})
