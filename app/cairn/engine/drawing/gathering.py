"""Gathering: the events that started a step with several, found by the keys of the buffers."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cairn.engine.core.facts import Sent
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delivery, Delta
from cairn.engine.language.graph import Graph
from cairn.engine.values.sealed import BATCH, SealedEvent


class Pill(NamedTuple):
    """An event that a fact has brought into the run, and its node in the picture."""

    sent: Sent
    node: str
    is_returned: bool


class Gathering:
    """The events that have been put by, for joins and for lists, by their keys."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes: dict[str, str] = {}
        self._origin: str | None = None

    def begin(self, first: Record, origin: str) -> None:
        """What was put by before the run's first fact all comes from there."""
        earlier = first.snapshot.gathered.keys() - first.delta.gathered.put.keys()
        self._nodes = dict.fromkeys(earlier, origin)
        self._origin = origin

    def follow(self, record: Record, pills: Sequence[Pill]) -> Iterator[tuple[Delivery, list[str]]]:
        """One more fact: the deliveries that it has started so, each with its events' nodes.

        A list takes all that was put by, a join the first in each slot.
        """
        self._put_by(record.delta, pills)
        dropped: defaultdict[tuple[str, str], deque[str]] = defaultdict(deque)
        for key in sorted(record.delta.gathered.drop, key=_number):
            batch, step, slot = _place(key)
            dropped[step, f"{batch}:{slot}" if slot else ""].append(key)
        started = [d for d in record.delta.deliveries.put.values() if d.id >= record.first_id]
        for delivery in sorted(started):
            if delivery.event.type == BATCH:
                keys = list(dropped[delivery.step, ""])
                for slot in self._graph.steps[delivery.step].signature.slots:
                    keys.append(dropped[delivery.step, f"{delivery.batch}:{slot}"].popleft())
                nodes = (self._nodes.get(key, self._origin) for key in keys)
                yield delivery, [node for node in nodes if node is not None]

    def _put_by(self, delta: Delta, pills: Sequence[Pill]) -> None:
        """Note the events put by.

        Events both put by and taken by this fact appear only among the dropped entries.
        """
        gathered = delta.gathered
        keys = [key for key in (*gathered.drop, *gathered.put) if key not in self._nodes]
        used: set[tuple[str, str]] = set()
        for key in sorted(keys, key=lambda key: (_place(key)[0], _number(key))):
            batch, step, slot = _place(key)
            for sent, node, is_returned in pills:
                if (
                    (step, node) not in used
                    and sent.step in (None, step)
                    and (is_returned or not batch)
                    and self._fits(sent.event, step, slot)
                ):
                    used.add((step, node))
                    self._nodes[key] = node
                    break

    def _fits(self, event: SealedEvent, step: str, slot: str) -> bool:
        route = self._graph.routes[event.type]
        return slot in dict(route.slots).get(step, ()) if slot else step in route.collectors


def _place(key: str) -> tuple[int, str, str]:
    """The batch, the step and the slot of an entry; a list has no slots."""
    place, slot, _ = key.rsplit(":", 2)
    batch, step = place.split(":", 1)
    return int(batch), step, slot


def _number(key: str) -> int:
    """Where in its place it stands."""
    return int(key.rsplit(":", 1)[1])
