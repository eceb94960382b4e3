"""What customers order: runs of all shapes, and what each must come to."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.crash.trace import Delivery

PAUSE = 0.02
"""Seconds that a piece of work takes at most."""

Body = Mapping[str, Any]


@dataclass(slots=True)
class Order:
    """A run that somebody wants; its key is the key of everything about it."""

    key: str
    workflow: str
    size: int
    pause: float = 0.0
    context: str | None = None
    gate: str = ""
    run_id: str = ""

    @property
    def body(self) -> Body:
        """What is POSTed."""
        start = {"key": self.key, "size": self.size, "pause": self.pause, "gate": self.gate}
        return {"workflow": self.workflow, "start_event": start, "context_id": self.context}

    def result(self, turn: int) -> object:
        """What the run comes to, as the run of that number in its context."""
        match self.workflow:
            case "chain":
                return list(range(self.size + 1))
            case "fan":
                return [number**2 for number in range(1, self.size + 1)]
            case "counter":
                return self.state(turn)["counter"]
            case "approval":
                return self._answers
            case "consult":
                return [*self._answers, self.size]
            case _:
                return "held"

    def state(self, turn: int) -> Body:
        """What it leaves in the context; of these workflows, only some build on what was there."""
        match self.workflow:
            case "chain":
                return {"trail": [*range(self.size + 1)] * turn}
            case "counter":
                return {"counter": sum(range(self.size + 1)) * turn, "size": self.size}
            case "approval":
                return {"answers": self._answers, "size": self.size}
            case "fan":
                return {"size": self.size}
            case "consult":
                return {"notes": self.size}
            case _:
                return {}

    @property
    def _answers(self) -> list[str]:
        return [f"answer {number}" for number in range(1, self.size + 1)]

    @property
    def received(self) -> dict[str, int]:
        """How many events of each type come to it from outside."""
        answers = {"approval": "Answer", "consult": "Word"}.get(self.workflow)
        return {"Start": 1} | ({answers: self.size} if answers else {})

    @property
    def deliveries(self) -> set[Delivery]:
        """The deliveries it consists of: each leaves one checkpoint of a step."""
        steps = {
            "chain": ("begin", ["hop"]),
            "fan": ("split", ["work", "gather"]),
            "counter": ("spread", ["add", "total"]),
            "approval": ("ask", ["decide"]),
            "consult": ("consult", ["note"]),
        }
        if self.workflow not in steps:  # it holds
            return {(self.key, step, n) for n, step in enumerate(("begin", "hold", "after"))}
        first, others = steps[self.workflow]
        numbers = range(1, self.size + 1)
        return {(self.key, first, 0)} | {(self.key, s, n) for s in others for n in numbers}

    @property
    def causes(self) -> dict[Delivery, Delivery]:
        """Of each delivery, the one whose completion brought it about."""
        key, numbers = self.key, range(1, self.size + 1)
        match self.workflow:
            case "chain" | "approval":
                first, other = ("begin", "hop") if self.workflow == "chain" else ("ask", "decide")
                after = {(key, other, n): (key, other, n - 1) for n in numbers[1:]}
                return after | {(key, other, 1): (key, first, 0)}
            case "fan" | "counter":
                first, work, last = (
                    ("split", "work", "gather")
                    if self.workflow == "fan"
                    else ("spread", "add", "total")
                )
                parts = {(key, work, n): (key, first, 0) for n in numbers}
                return parts | {(key, last, n): (key, work, n) for n in numbers}
            case _:  # notes go out as their step begins to wait, before it completes
                return {}


def any_orders(random: random.Random, contexts: Mapping[str, list[str]]) -> Iterator[Order]:
    """Orders without end, of all shapes; some in the contexts, which are given by workflow."""
    number = 0
    while True:
        workflow = random.choice(("chain", "chain", "fan", "counter", "approval", "consult"))
        size = {"chain": 9, "fan": 5, "counter": 6, "approval": 2, "consult": 2}[workflow]
        shared = random.choice([None, *contexts.get(workflow, [])])
        pause = random.uniform(0, PAUSE)
        yield Order(f"{workflow}-{number}", workflow, size, pause, shared)
        number += 1
