"""An event loop whose clock jumps to the next timer, so that no test sleeps."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

MOST_TURNS = 1_000_000
"""The most turns of the loop before a run counts as endless."""


class Stuck(Exception):
    """All tasks wait and no timer is set; or tasks go on without end."""


class _Jump(selectors.SelectSelector):
    """Jumps to the next timer instead of sleeping.

    Files are not polled: no task in this loop may wait for another thread or process.
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
    """A loop on a clock of its own, which begins at 0 seconds."""

    def __init__(self) -> None:
        self._clock = _Jump()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine on a loop of its own, and return its result.

    Raises:
        Stuck: the coroutine would never return.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
