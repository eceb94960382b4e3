"""What the workflows' marks tell: which deliveries were executed, when, and in which life."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Delivery = tuple[str, str, int]
"""The run's key, the step, and the number of its event."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A step began, or ended; `at` is in monotonic seconds, and the same for all processes."""

    what: str
    delivery: Delivery
    pid: int
    at: float

    @property
    def key(self) -> str:
        """The run's key."""
        return self.delivery[0]


class Trace:
    """The file that all lives of a service append their marks to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def marks(self, what: str | None = None) -> list[Mark]:
        """All of them, or those of one kind, in the order they were made."""
        if not self.path.exists():
            return []
        found = (_mark(line) for line in self.path.read_text().splitlines())
        return [mark for mark in found if what in (None, mark.what)]

    def began(self, delivery: Delivery) -> int:
        """How many times the delivery's step has begun."""
        return sum(mark.delivery == delivery for mark in self.marks("begin"))

    def ended(self, delivery: Delivery) -> int:
        """How many times it has got to its end."""
        return sum(mark.delivery == delivery for mark in self.marks("end"))


def wrongs(
    marks: Iterable[Mark],
    pids: Sequence[int],
    committed: Mapping[Delivery, int],
    causes: Mapping[Delivery, Delivery],
) -> list[str]:
    """Where the marks break what was promised; nothing if all is well.

    A delivery is executed once in a life, and in no life after the one in which its checkpoint was
    committed; there, it got to its end. What follows from a delivery begins in that life or later.

    Args:
        pids: the process of each life.
        committed: of each delivery, the first life after which its checkpoint was there.
        causes: of each delivery, the one that it follows from, if that is known.
    """
    lives = {pid: life for life, pid in enumerate(pids)}
    executed: dict[tuple[Delivery, int], list[str]] = {}
    for mark in marks:
        executed.setdefault((mark.delivery, lives[mark.pid]), []).append(mark.what)
    found = []
    for (delivery, life), whats in executed.items():
        there = committed.get(delivery)
        cause = causes.get(delivery)
        if whats not in (["begin"], ["begin", "end"]):
            found.append(f"{delivery}: in life {life}: {whats}")
        if there is not None and life > there:
            found.append(f"{delivery}: executed in life {life}, had its checkpoint in {there}")
        if life == there and whats != ["begin", "end"]:
            found.append(f"{delivery}: got its checkpoint in life {life}, with only {whats}")
        if cause is not None and committed.get(cause, life + 1) > life:
            found.append(f"{delivery}: began in life {life}, before {cause} was committed")
    for delivery, there in committed.items():
        if (delivery, there) not in executed:
            found.append(f"{delivery}: got its checkpoint in life {there}, and did not run there")
    return found


def _mark(line: str) -> Mark:
    what, key, step, number, pid, at = line.split()
    return Mark(what, (key, step, int(number)), int(pid), int(at) / 1e9)
