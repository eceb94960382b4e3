"""The load: a loop of steps that count, with a value in their state. Standard library only."""

import base64
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from itertools import count
from typing import Any

SIZES = {1_000: "1 KB", 100_000: "100 KB", 1_000_000: "1 MB"}


@dataclass(frozen=True, slots=True)
class Load:
    """Runs, side by side, of one loop.

    Attributes:
        steps: how many steps each run takes. Each replaces a small number in the state.
        runs: how many runs there are at once.
        size: how many characters the value in the state has; the first step writes it.
        touched: whether each step replaces that value, or the first one alone writes it.
    """

    steps: int
    runs: int = 1
    size: int = 1_000
    touched: bool = False

    @property
    def executions(self) -> int:
        """How many times a step is executed in all."""
        return self.steps * self.runs

    def value(self, number: int) -> str | None:
        """What step `number`, counted from 0, writes; `None` if it leaves the value as it is."""
        return value(self.size) if self.touched or number == 0 else None

    def fields(self) -> dict[str, Any]:
        """What one run is told of it."""
        return {"steps": self.steps, "size": self.size, "touched": self.touched}

    def question(self) -> dict[str, Any]:
        """All of it, as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        runs = "one run" if self.runs == 1 else f"{self.runs} runs"
        return f"{runs}, {SIZES.get(self.size, self.size)} {'' if self.touched else 'un'}touched"


_number = count()


def value(size: int) -> str:
    """A text that was never written before, and that no database can make much smaller."""
    return f"{next(_number):012x}{_noise(size)[12:]}"


@cache
def _noise(size: int) -> str:
    return base64.b64encode(random.Random(size).randbytes(size)).decode()[:size]


watchers: list[Callable[[], None]] = []
"""Called by each step of a workflow that is watched, in the process that drives it."""


def pass_by() -> None:
    """A step is being executed."""
    for watch in watchers:
        watch()
