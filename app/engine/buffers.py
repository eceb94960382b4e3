"""What `collect_events` has put by while a run is under way: live for steps, as the state is."""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from immutables import Map

from app.engine.serialization import SealedEvent
from app.engine.snapshot import Buffered

Place = tuple[str, str, str]  # step, buffer, type of event
Turn = tuple[int, int]  # a delivery, and which of its calls: events are told apart, and taken,
# in the order they were sent, however long their steps took to put them by


def key_of(turn: Turn) -> str:
    """The key of an entry in a snapshot."""
    return f"{turn[0]}:{turn[1]}"


@dataclass(slots=True)
class Gathering:
    """What one delivery has put by and collected so far."""

    delivery: int
    step: str
    calls: int = 0
    put_by: dict[Turn, Buffered] = field(default_factory=dict)
    collected: dict[Turn, Buffered] = field(default_factory=dict)


class LiveBuffers:
    """The entries that steps can collect: those of completed steps and of the ones under way."""

    def __init__(self, committed: "Map[str, Buffered]") -> None:
        self._there: dict[Turn, Buffered] = {}
        self._queues: dict[Place, list[Turn]] = {}
        self._taken: set[Turn] = set()  # by a step that may complete before the one who put it by
        for key, entry in committed.items():
            delivery, call = key.split(":")
            turn = (int(delivery), int(call))
            if entry.taken:
                self._taken.add(turn)
            else:
                self._add(turn, entry)

    def collect(
        self, gathering: Gathering, event: SealedEvent, expected: Sequence[str], buffer: str
    ) -> list[SealedEvent] | None:
        """Put the event by; once there is one for each expected type, take them, oldest first."""
        turn = (gathering.delivery, gathering.calls)
        gathering.calls += 1
        entry = Buffered(gathering.delivery, gathering.step, buffer, event)
        gathering.put_by[turn] = entry
        self._add(turn, entry)
        queues = {
            type_: self._queues.get((gathering.step, buffer, type_), []) for type_ in set(expected)
        }
        if any(len(queues[type_]) < count for type_, count in Counter(expected).items()):
            return None
        return [self._take(gathering, queues[type_]) for type_ in expected]

    def complete(self, gathering: Gathering) -> None:
        """The delivery has completed: what it put by stays, what it collected is gone."""
        for turn in gathering.put_by:
            self._taken.discard(turn)

    def abandon(self, gathering: Gathering) -> None:
        """The delivery has failed: what it collected is there again, what it put by is not."""
        for turn, entry in gathering.collected.items():
            self._taken.discard(turn)
            self._add(turn, entry)
        for turn, entry in gathering.put_by.items():
            if self._there.pop(turn, None):
                queue = self._queues[_place(entry)]
                queue.remove(turn)
                heapq.heapify(queue)

    def _add(self, turn: Turn, entry: Buffered) -> None:
        if turn not in self._taken and turn not in self._there:
            self._there[turn] = entry
            heapq.heappush(self._queues.setdefault(_place(entry), []), turn)

    def _take(self, gathering: Gathering, queue: list[Turn]) -> SealedEvent:
        turn = heapq.heappop(queue)
        entry = self._there.pop(turn)
        gathering.collected[turn] = entry
        self._taken.add(turn)
        return entry.event


def _place(entry: Buffered) -> Place:
    return entry.step, entry.buffer, entry.event.type
