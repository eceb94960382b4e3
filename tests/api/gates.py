"""What a test holds of its workflows: gates at which steps stand, and what has been mended.

The files in `workflows/` are loaded by path, and import this module as the tests do.
"""

import asyncio
import threading
from collections import defaultdict

BOUND = 10.0
"""Seconds that a test waits for what it is sure to come."""


class Gate:
    """A place where a step stands until the test opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()

    async def stand(self) -> None:
        """For the step: say that it is here, and wait."""
        self.reached.set()
        await self.opened.wait()


gates: defaultdict[str, Gate] = defaultdict(Gate)
mended: set[str] = set()
executed: list[str] = []
looked_at, may_go_on = threading.Event(), threading.Event()
"""For what is not a step, and may stand in a thread."""


def forget() -> None:
    """Begin a test afresh."""
    gates.clear()
    mended.clear()
    executed.clear()
    looked_at.clear()
    may_go_on.clear()


async def reached(name: str) -> None:
    """Wait until a step stands at the gate."""
    async with asyncio.timeout(BOUND):
        await gates[name].reached.wait()


def open_gate(name: str) -> None:
    """Let who stands at the gate go on, and whoever comes."""
    gates[name].opened.set()
