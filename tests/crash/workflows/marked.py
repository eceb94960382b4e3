"""Workflows whose every execution of a step leaves a mark that no kill takes back.

A step's first and last action is to append a line to the file named in CRASH_TRACE: what it does
(`begin` or `end`), the run's key, its own name, the number of its event, the process, the moment.
"""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from cairn import (
    Context,
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)


class Start(StartEvent):
    """Which run it is, how much there is to do, and how long each piece takes."""

    key: str
    size: int = 3
    pause: float = 0.0
    gate: str = ""
    number: int = 0


class Piece(Event):
    """One piece of work."""

    key: str
    number: int
    pause: float = 0.0


class Hop(Piece):
    """The next link of a chain, with the way so far."""

    size: int
    path: list[int]


class Part(Piece):
    """A part of what was fanned out."""


class Done(Piece):
    """What came of a part."""

    square: int


class Add(Piece):
    """Something to add to the counter."""


class Added(Piece):
    """It has been added."""


class Held(Piece):
    """Work that takes until a file is there."""

    gate: str


class Freed(Piece):
    """The file was there."""


class Note(Piece):
    """Sent before the step waits: it goes out once."""


class Question(InputRequiredEvent):
    """Asks a person."""

    key: str
    number: int


class Answer(HumanResponseEvent):
    """A person's answer."""

    key: str
    number: int
    text: str


class Word(HumanResponseEvent):
    """What a step waits for in its middle."""

    key: str
    number: int
    text: str


@contextmanager
def executing(step_name: str, ev: Event) -> Iterator[None]:
    """Mark that the step begins and, if it gets there, that it ends."""
    _mark("begin", step_name, ev)
    yield
    _mark("end", step_name, ev)


def _mark(what: str, step_name: str, ev: Event) -> None:
    line = f"{what} {ev.key} {step_name} {ev.number} {os.getpid()} {time.monotonic_ns()}\n"
    file = os.open(os.environ["CRASH_TRACE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


class ChainFlow(Workflow):
    """Short steps, one after the other; each adds its number to the context's `trail`."""

    @step
    async def begin(self, ctx: Context, ev: Start) -> Hop:
        with executing("begin", ev):
            await ctx.set("trail", [*await ctx.get("trail", default=[]), 0])
            await asyncio.sleep(ev.pause)
            return Hop(key=ev.key, number=1, pause=ev.pause, size=ev.size, path=[0])

    @step
    async def hop(self, ctx: Context, ev: Hop) -> Hop | StopEvent:
        with executing("hop", ev):
            await ctx.set("trail", [*await ctx.get("trail"), ev.number])
            await asyncio.sleep(ev.pause)
            path = [*ev.path, ev.number]
            if ev.number == ev.size:
                return StopEvent(result=path)
            fields = ev.to_dict() | {"number": ev.number + 1, "path": path}
            return Hop(**fields)


class FanFlow(Workflow):
    """Sends parts one by one, squares each in a thread, and collects what came of them."""

    @step
    async def split(self, ctx: Context, ev: Start) -> Part | None:
        with executing("split", ev):
            await ctx.set("size", ev.size)
            for number in range(1, ev.size + 1):
                ctx.send_event(Part(key=ev.key, number=number, pause=ev.pause))
                await asyncio.sleep(ev.pause / ev.size)
            return None

    @step(num_workers=2)
    def work(self, ev: Part) -> Done:
        with executing("work", ev):
            time.sleep(ev.pause)
            return Done(key=ev.key, number=ev.number, square=ev.number**2)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        with executing("gather", ev):
            done = ctx.collect_events(ev, [Done] * await ctx.get("size"))
            if done is None:
                return None
            return StopEvent(result=sorted(one.square for one in done))


class CounterFlow(Workflow):
    """Parallel steps each read the context's `counter`, take their time, and add their number."""

    @step
    async def spread(self, ctx: Context, ev: Start) -> Add | None:
        with executing("spread", ev):
            await ctx.set("size", ev.size)
            for number in range(1, ev.size + 1):
                ctx.send_event(Add(key=ev.key, number=number, pause=ev.pause))
            return None

    @step(num_workers=8)
    async def add(self, ctx: Context, ev: Add) -> Added:
        with executing("add", ev):
            counter = await ctx.get("counter", default=0)
            await asyncio.sleep(ev.pause)
            await ctx.set("counter", counter + ev.number)
            return Added(key=ev.key, number=ev.number)

    @step
    async def total(self, ctx: Context, ev: Added) -> StopEvent | None:
        with executing("total", ev):
            if ctx.collect_events(ev, [Added] * await ctx.get("size")) is None:
                return None
            return StopEvent(result=await ctx.get("counter"))


class ApprovalFlow(Workflow):
    """Asks a person, as many times as its size says, and waits between its steps."""

    @step
    async def ask(self, ctx: Context, ev: Start) -> Question:
        with executing("ask", ev):
            await ctx.set("size", ev.size)
            await ctx.set("answers", [])
            return Question(key=ev.key, number=1)

    @step
    async def decide(self, ctx: Context, ev: Answer) -> Question | StopEvent:
        with executing("decide", ev):
            answers = [*await ctx.get("answers"), ev.text]
            await ctx.set("answers", answers)
            if len(answers) == await ctx.get("size"):
                return StopEvent(result=answers)
            return Question(key=ev.key, number=ev.number + 1)


class ConsultFlow(Workflow):
    """Waits for words from outside in the middle of one step."""

    @step
    async def consult(self, ctx: Context, ev: Start) -> StopEvent | Note:
        with executing("consult", ev):
            words = []
            for number in range(1, ev.size + 1):
                ctx.send_event(Note(key=ev.key, number=number))
                question = Question(key=ev.key, number=number)
                word = await ctx.wait_for_event(
                    Word, waiter_event=question, requirements={"number": number}
                )
                words.append(word.text)
            return StopEvent(result=[*words, await ctx.get("notes")])

    @step
    async def note(self, ctx: Context, ev: Note) -> None:
        with executing("note", ev):
            await ctx.set("notes", await ctx.get("notes", default=0) + 1)


class HoldFlow(Workflow):
    """A step that takes until a file is there, and one after it."""

    @step
    async def begin(self, ev: Start) -> Held:
        with executing("begin", ev):
            return Held(key=ev.key, number=1, gate=ev.gate)

    @step
    async def hold(self, ev: Held) -> Freed:
        with executing("hold", ev):
            while not Path(ev.gate).exists():  # noqa: ASYNC110, ASYNC240  # another process's
                await asyncio.sleep(0.01)
            return Freed(key=ev.key, number=2)

    @step
    async def after(self, ev: Freed) -> StopEvent:
        with executing("after", ev):
            return StopEvent(result="held")


class HoldThreadFlow(HoldFlow):
    """The same in a thread, which nobody can interrupt."""

    @step
    def hold(self, ev: Held) -> Freed:
        with executing("hold", ev):
            _hold(ev)
            return Freed(key=ev.key, number=2)


class HoldPoolFlow(HoldFlow):
    """The same in one of asyncio's own threads, which the end of an event loop waits for."""

    @step
    async def hold(self, ev: Held) -> Freed:
        with executing("hold", ev):
            await asyncio.to_thread(_hold, ev)
            return Freed(key=ev.key, number=2)


class HoldStubbornFlow(HoldFlow):
    """The same in a step that does not let itself be cancelled."""

    @step
    async def hold(self, ev: Held) -> Freed:
        with executing("hold", ev):
            held = asyncio.create_task(asyncio.to_thread(_hold, ev))
            while not held.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(held)
            return Freed(key=ev.key, number=2)


class LeaveThreadFlow(Workflow):
    """Starts a thread that no step waits for, as some libraries do, and ends."""

    @step
    async def begin(self, ev: Start) -> StopEvent:
        with executing("begin", ev):
            threading.Thread(target=_hold, args=[ev], name="left").start()
            return StopEvent(result="held")


class LeavePoolFlow(Workflow):
    """Leaves a pool open whose thread has nothing to do, and would end with the process."""

    @step
    async def begin(self, ev: Start) -> StopEvent:
        with executing("begin", ev):
            ThreadPoolExecutor().submit(int).result()
            return StopEvent(result="held")


class FailFlow(Workflow):
    """Fails, with an exception that ends threads, event loops or processes where it is let."""

    @step
    async def begin(self, ev: Start) -> StopEvent:
        with executing("begin", ev):
            raise {
                "ValueError": ValueError,
                "SystemExit": SystemExit,
                "KeyboardInterrupt": KeyboardInterrupt,
                "CancelledError": asyncio.CancelledError,
                "GeneratorExit": GeneratorExit,
            }[ev.key]


def _hold(ev: Held | Start) -> None:
    while not Path(ev.gate).exists():
        time.sleep(0.01)
