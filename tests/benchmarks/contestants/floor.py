"""The floor: the least that an engine with a task per step would do.

An event is put into an `asyncio.Queue`. One loop takes it out, finds the step that its type goes
to, and makes a task of that step; the step's coroutine puts the next event:

    queue.get() -> create_task(step(event)) -> queue.put_nowait(the next event)

The loop ends with the stop event. Nothing else happens: no validation, copying or serialising of
events, no state, no checkpoint, no limit to how many steps are under way, no look at what became
of a task. What is collected is appended to a list. Nobody who does more can be faster.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import new_class
from typing import Any


@dataclass(slots=True)
class Event:
    """What is passed on; the shapes define types of it."""

    result: int


class Start(Event):
    """Begins a run."""


class Stop(Event):
    """Ends a run."""


Queue = asyncio.Queue[Event]
Step = Callable[[Queue, Any], Coroutine[Any, Any, None]]


async def run(routes: Mapping[type[Event], Step]) -> int:
    """Carry one run from its start to its stop."""
    queue = Queue()
    queue.put_nowait(Start(0))
    while type(event := await queue.get()) is not Stop:
        step = routes[type(event)]
        # A step of a shape never waits, so that the event loop holds its task until it is done.
        asyncio.create_task(step(queue, event))  # noqa: RUF006
    return event.result


def chain(size: int) -> Callable[[], Awaitable[int]]:
    """As many steps, each started once, by an event of a type of its own. They count themselves."""

    def counting(gives: type[Event]) -> Step:
        async def count(queue: Queue, event: Event) -> None:
            queue.put_nowait(gives(event.result + 1))

        return count

    between = [new_class(f"Counted{number}", (Event,)) for number in range(1, size)]
    ends = zip([Start, *between], [*between, Stop], strict=True)
    routes = {takes: counting(gives) for takes, gives in ends}
    return lambda: run(routes)


def loop(size: int) -> Callable[[], Awaitable[int]]:
    """One step, which goes round as many times and counts."""

    class Round(Event):
        pass

    async def count(queue: Queue, event: Event) -> None:
        result = event.result + 1
        queue.put_nowait(Round(result) if result < size else Stop(result))

    return lambda: run({Start: count, Round: count})


def fan_out(size: int) -> Callable[[], Awaitable[int]]:
    """One step sends as many events, a second takes each, and a third collects what that gives."""

    class Part(Event):
        pass

    class Done(Event):
        pass

    def routes() -> dict[type[Event], Step]:
        done: list[Event] = []

        async def split(queue: Queue, event: Event) -> None:
            for number in range(size):
                queue.put_nowait(Part(number))

        async def work(queue: Queue, event: Event) -> None:
            queue.put_nowait(Done(event.result + 1))

        async def gather(queue: Queue, event: Event) -> None:
            done.append(event)
            if len(done) == size:
                queue.put_nowait(Stop(sum(part.result for part in done)))

        return {Start: split, Part: work, Done: gather}

    return lambda: run(routes())
