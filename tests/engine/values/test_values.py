"""Values in events and in the state: what comes back exactly, and what is refused by name."""

import asyncio
import dataclasses
import math
import threading
from collections import OrderedDict, defaultdict, deque, namedtuple
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ValidationError

from cairn import (
    Checkpoint,
    Context,
    Event,
    SerializationError,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowError,
    step,
)
from cairn.engine.values.extended_json import TAG, VALUE
from tests.engine.tools.runs import ended, own, through_json


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Word(StrEnum):
    YES = "yes"


class Access(Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Point:
    x: int
    y: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Frozen:
    name: str
    inner: Point = dataclasses.field(default_factory=lambda: Point(0))


class Book(BaseModel):
    title: str
    pages: int = 1
    tags: set[str] = set()


class Shelf(BaseModel):
    books: dict[str, Book]
    best: Book | None = None
    anything: Any = None


class Carry(Event):
    value: Any


class Carrying(Workflow):
    """A value goes through an event, and another time through the state."""

    def __init__(self, make: Callable[[], Any]) -> None:
        super().__init__()
        self.make = make

    @step
    async def give(self, ctx: Context, ev: StartEvent) -> Carry:
        await ctx.set("kept", self.make())
        return Carry(value=self.make(), dynamic=self.make())

    @step
    async def take(self, ctx: Context, ev: Carry) -> StopEvent:
        return StopEvent(result=[ev.value, ev["dynamic"], await ctx.get("kept")])


def same(left: Any, right: Any) -> bool:
    """Equal, of one type, and so all the way down; NaN is itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return math.copysign(1, left) == math.copysign(1, right) and (
            left == right or (math.isnan(left) and math.isnan(right))
        )
    if isinstance(left, dict):
        pairs = zip(left.items(), right.items(), strict=False)
        return len(left) == len(right) and all(same(a, b) for a, b in pairs)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, set | frozenset):
        return bool(left == right) and {type(x) for x in left} == {type(x) for x in right}
    if dataclasses.is_dataclass(left) or isinstance(left, BaseModel):
        return bool(left == right) and same(vars(left), vars(right))
    return bool(left == right)


EXACT: list[Any] = [
    None,
    True,
    0,
    -1,
    2**53 + 1,
    2**63,
    -(2**64),
    1.0,
    -0.0,
    1e308,
    5e-324,
    0.1 + 0.2,
    math.nan,
    math.inf,
    -math.inf,
    "",
    "a\x00b\n\u2028\U0001f5ff",
    b"",
    b"\x00\xff",
    [],
    {},
    (),
    set(),
    frozenset(),
    (1,),
    (1, (2, [3, {4, 5}])),
    [(1, 2), [1, 2]],
    {1, "1", 1.5, None, (1, 2)},
    frozenset({1, 2}),
    {frozenset({1}), frozenset({2})},
    {"a": {"b": {"c": [1, (2,)]}}},
    {1: "a", 2: "b"},
    {1: "a", "1": "b"},
    {None: 1, True: 2, 2.5: 3, (1, 2): 4},
    {"": 1, " ": 2},
    {"z": 1, "a": 2},
    {TAG: "set", VALUE: [1]},
    {TAG: "nothing known", VALUE: None},
    {TAG: 1},
    {VALUE: 1},
    [{TAG: {TAG: "tuple", VALUE: []}}],
    date(2026, 2, 28),
    time(1, 2, 3, 4),
    datetime(2026, 2, 28, 12, 30, 1, 5),
    datetime(2026, 2, 28, 12, 30, tzinfo=UTC),
    datetime(2026, 2, 28, 12, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    timedelta(days=-1, microseconds=1),
    timedelta.max,
    Decimal("1.10"),
    Decimal("1E+30"),
    Decimal("-Infinity"),
    UUID("12345678-1234-5678-1234-567812345678"),
    Colour.RED,
    Level.HIGH,
    Word.YES,
    {Colour.RED: Level.HIGH, Word.YES: [Colour.RED]},
    Point(1, (2, 3)),
    Frozen("a", Point(1)),
    [Point(1), {"p": Frozen("b")}],
    Book(title="a", tags={"x"}),
    Shelf(books={"a": Book(title="a")}, best=Book(title="b", pages=3), anything=(1, Point(1))),
    {"events": [Carry(value=1), Event(a=1)]},
]


def named(value: Any) -> str:
    """The same in every process: what is a set has an order of its own in each."""
    shown = hex(value) if type(value) is int else ascii(value)
    if isinstance(value, set | frozenset):
        shown = ascii(sorted(map(ascii, value)))
    shown = shown.partition(" at 0x")[0]
    return f"{type(value).__name__} {shown[:40]}"


@pytest.mark.parametrize("value", EXACT, ids=named)
async def test_a_value_comes_back_exactly(value: Any) -> None:
    workflow = Carrying(lambda: value)
    source = workflow.run()
    result = await ended(source)
    assert same(result, [value] * 3), result
    for checkpoint in own(source)[:-1]:
        back = through_json(workflow, checkpoint)
        assert back.ctx_state == checkpoint.ctx_state
        again = await ended(workflow.run_from(checkpoint=back))
        assert same(again, [value] * 3), again


async def test_a_time_in_a_named_zone_keeps_its_instant_and_its_offset() -> None:
    value = datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    for found in await ended(Carrying(lambda: value).run()):
        assert found.astimezone(UTC) == value.astimezone(UTC)
        assert found.utcoffset() == value.utcoffset()


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Keys(dict[str, int]):
    pass


Pair = namedtuple("Pair", "a b")

PERHAPS: list[Any] = [
    10**5000,
    "\ud800",
    bytearray(b"\x01"),
    Pair(1, 2),
    OrderedDict(b=1, a=2),
    defaultdict(int, a=1),
    deque([1, 2], maxlen=2),
    Text("x"),
    Number(5),
    Keys(a=1),
    Access.READ | Access.WRITE,
    Fraction(1, 3),
    1 + 2j,
    range(3),
    PurePosixPath("/a/b"),
    Path("a"),
    int,
    Book,
    slice(1, 2),
    memoryview(b"a"),
    UTC,
]


@pytest.mark.parametrize("value", PERHAPS, ids=named)
async def test_what_is_not_refused_comes_back_exactly(value: Any) -> None:
    handler = Carrying(lambda: value).run()
    try:
        result = await ended(handler)
    except SerializationError:
        kind = "text" if type(value) is str else type(value).__name__
        assert kind in str(handler.exception())
        assert "kept" in str(handler.exception())
    else:
        assert same(result, [value] * 3), result


class Opaque:
    pass


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append({"inner": value})
    return value


def deep(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (Opaque, "Opaque"),
    (lambda: [1, {"a": Opaque()}], "Opaque"),
    (lambda: {Opaque(): 1}, "Opaque"),
    (lambda: Shelf(books={}, anything=Opaque()), "Opaque"),
    (lambda: Point(Opaque()), "Opaque"),  # type: ignore[arg-type]
    (lambda: len, "builtin"),
    (lambda: lambda: 1, "function"),
    (threading.Lock, "lock"),
    (lambda: (n for n in range(3)), "generator"),
    (cycle, "nested too deep"),
    (lambda: deep(100_000), "nested too deep"),
]


class Refusing(Workflow):
    """The value is written by one step, in one of the ways there are."""

    def __init__(self, make: Callable[[], Any], way: str) -> None:
        super().__init__()
        self.make, self.way = make, way

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Carry:
        await ctx.set("before", 1)
        await ctx.set("wrong", {})
        return Carry(value=1)

    @step
    async def write(self, ctx: Context, ev: Carry) -> StopEvent | Carry | None:
        await ctx.set("before", 2)
        match self.way:
            case "state":
                await ctx.set("wrong", self.make())
            case "in place":
                (await ctx.get("wrong"))["deeper"] = self.make()
            case "returned":
                return StopEvent(wrong=self.make())
            case "shown":
                ctx.write_event_to_stream(Carry(value=2, wrong=self.make()))
            case "sent":
                ctx.send_event(Carry(value=2, wrong=self.make()))
        return StopEvent()


@pytest.mark.parametrize("way", ["state", "in place", "returned", "sent"])
@pytest.mark.parametrize(("make", "type_name"), REFUSED)
async def test_what_cannot_be_stored_fails_the_step_that_wrote_it_by_key_and_type(
    make: Callable[[], Any], type_name: str, way: str
) -> None:
    handler = Refusing(make, way).run()
    with pytest.raises(SerializationError) as refusal:
        await ended(handler)
    assert "wrong" in str(refusal.value)
    assert type_name in str(refusal.value)
    assert own(handler)[-1].last_completed_step == "begin"
    assert await handler.ctx.get("before") == 1


@pytest.mark.parametrize(("make", "type_name"), REFUSED)
async def test_what_cannot_be_stored_is_shown_or_refused_by_key_and_type(
    make: Callable[[], Any], type_name: str
) -> None:
    handler = Refusing(make, "shown").run()
    with suppress(SerializationError):
        await ended(handler)
    said = handler.exception()
    assert said is None or ("wrong" in str(said) and type_name in str(said))


async def test_an_unstorable_start_event_is_refused_at_once() -> None:
    with pytest.raises(SerializationError, match=r"wrong.*Opaque"):
        Carrying(int).run(wrong=Opaque())


async def test_an_unstorable_value_between_runs_is_refused_at_once() -> None:
    ctx = Context(workflow=Carrying(int))
    with pytest.raises(SerializationError, match=r"wrong.*Opaque"):
        await ctx.set("wrong", Opaque())


async def test_a_refused_write_that_the_step_survives_leaves_the_old_value() -> None:
    class Survives(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.set("value", 1)
            with pytest.raises(SerializationError):
                await ctx.set("value", Opaque())
            return StopEvent(result=await ctx.get("value"))

    assert await ended(Survives().run()) == 1


@pytest.mark.parametrize("depth", [10, 90])
async def test_a_deep_value_comes_back(depth: int) -> None:
    workflow = Carrying(lambda: deep(depth))
    source = workflow.run()
    assert await ended(source) == [deep(depth)] * 3
    back = through_json(workflow, own(source)[1])
    assert await ended(workflow.run_from(checkpoint=back)) == [deep(depth)] * 3


async def test_one_value_in_two_places_is_two_values() -> None:
    shared = [1]
    (value, _, _) = await ended(Carrying(lambda: {"a": shared, "b": shared}).run())
    assert value == {"a": [1], "b": [1]}
    value["a"].append(2)
    assert value["b"] == [1]


async def test_many_values_are_carried_at_once() -> None:
    workflow = Carrying(lambda: list(range(10_000)))
    async with asyncio.timeout(10):
        results = await asyncio.gather(*(workflow.run() for _ in range(10)))
    assert all(result == [list(range(10_000))] * 3 for result in results)


async def rerun(workflow: Workflow, written: str) -> Any:
    return await ended(workflow.run_from(checkpoint=Checkpoint.model_validate_json(written)))


async def test_of_a_type_that_is_not_known_nothing_is_imported_by_name() -> None:
    source = Carrying(lambda: Point(1)).run()
    await ended(source)
    written = own(source)[1].model_dump_json()
    assert "Point" in written
    forged = written.replace("Point", "Popen")
    with pytest.raises((WorkflowError, ValidationError), match="Popen"):
        await rerun(Carrying(int), forged)
