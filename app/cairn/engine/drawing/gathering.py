"""Gathering: the events with which a step that takes several events was started."""

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cairn.engine.core.facts import Sent
from cairn.engine.core.keys import GatheredKey
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delivery, Delta
from cairn.engine.language.graph import Graph
from cairn.engine.values.sealed import BATCH, SealedEvent


class DrawnEvent(NamedTuple):
    """An event that a fact has brought into the run, and its node in the picture.

    Attributes:
        sent: the event, and the step that it was addressed to, if any.
        node: the id of the node.
        is_returned: True if a step returned the event rather than sent the event.
    """

    sent: Sent
    node: str
    is_returned: bool


class Gathering:
    """The nodes of the events that joins and lists have gathered, by the events' keys.

    The keys are those of a snapshot's `gathered`. A join is a step with several event parameters.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes: dict[str, str] = {}
        self._origin: str | None = None

    def begin(self, first: Record, origin: str) -> None:
        """Use `origin` as the node of all events gathered before the run's first fact."""
        earlier = first.snapshot.gathered.keys() - first.delta.gathered.put.keys()
        self._nodes = dict.fromkeys(earlier, origin)
        self._origin = origin

    def follow(
        self, record: Record, events: Sequence[DrawnEvent]
    ) -> Iterator[tuple[Delivery, list[str]]]:
        """Return the deliveries of gathered events that a fact has started, with the nodes.

        A list takes all entries that the fact has dropped for its step. A join takes the first
        dropped entry of each slot.

        Args:
            record: the record of the fact.
            events: the events that the fact has brought into the run.
        """
        self._assign_nodes(record.delta, events)
        of_lists: defaultdict[str, list[str]] = defaultdict(list)
        of_slots: defaultdict[tuple[int, str, str], deque[str]] = defaultdict(deque)
        for key in sorted(record.delta.gathered.drop, key=lambda key: GatheredKey.of(key).number):
            batch, step, slot = GatheredKey.of(key).place
            if slot:
                of_slots[batch, step, slot].append(key)
            else:
                of_lists[step].append(key)
        started = [d for d in record.delta.deliveries.put.values() if d.id >= record.first_id]
        for delivery in sorted(started):
            if delivery.event.type == BATCH:
                keys = list(of_lists[delivery.step])
                for slot in self._graph.steps[delivery.step].signature.slots:
                    keys.append(of_slots[delivery.batch, delivery.step, slot].popleft())
                nodes = (self._nodes.get(key, self._origin) for key in keys)
                yield delivery, [node for node in nodes if node is not None]

    def _assign_nodes(self, delta: Delta, events: Sequence[DrawnEvent]) -> None:
        """Assign to each new entry the node of its event.

        Entries both added and consumed by this fact appear only in `drop`.
        """
        gathered = delta.gathered
        places = [
            (GatheredKey.of(key), key)
            for key in (*gathered.drop, *gathered.put)
            if key not in self._nodes
        ]
        used: set[tuple[str, str]] = set()
        places.sort(key=lambda each: (each[0].place.batch, each[0].number))
        for ((batch, step, slot), _), key in places:
            for sent, node, is_returned in events:
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
