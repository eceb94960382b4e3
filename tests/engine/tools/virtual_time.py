"""An event loop whose time jumps to the next timer: whole lives of runs in no time."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

MOST_TURNS = 1_000_000
"""Turns of the loop after which a run is taken to go round and round."""


class Stuck(Exception):
    """Everybody waits, and nothing will ever happen; or something happens without end."""


class _Jump(selectors.SelectSelector):
    """Does not sleep until the next timer: says that its time has come.

    No file is looked at: nothing in this loop may wait for another thread or process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._turns = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        self._turns += 1
        if timeout is None:
            raise Stuck("Everybody waits, and nothing will ever happen.")
        if self._turns > MOST_TURNS:
            raise Stuck(f"After {MOST_TURNS} turns of the loop there is still no end.")
        self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop on a clock of its own, which begins at 0."""

    def __init__(self) -> None:
        self._clock = _Jump()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, run on a loop of its own.

    Raises:
        Stuck: it would never return.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
