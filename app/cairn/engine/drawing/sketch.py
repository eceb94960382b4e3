"""Sketch: the nodes and edges of a run's picture, as they come to be drawn."""

import json
from collections.abc import Iterable

from cairn.engine.drawing.picture import Edge, Kind, Node, shortened
from cairn.engine.language.events import StartEvent, StopEvent
from cairn.engine.language.graph import Graph
from cairn.engine.values.extended_json import plain
from cairn.engine.values.sealed import SealedEvent

NOTE, DETAIL = 30, 1_000
"""Characters of an event's fields in the picture, and of those told on request."""


class Sketch:
    """What has been drawn of a run of this graph."""

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.completed = 0
        self._graph = graph

    def is_a(self, event: SealedEvent, kind: type) -> bool:
        """Whether the event is of this class, as far as its own is known."""
        found = self._graph.event_type(event.type)
        return found is not None and issubclass(found, kind)

    def event(self, event: SealedEvent, cause: str | None) -> str:
        """An event, with a few of its fields; it comes from that node."""
        fields = {name: plain(value) for name, value in event.data.items()}
        told = [f"{name}={_json(it)}" for name, it in fields.items() if it is not None]
        kind: Kind = "event"
        if self.is_a(event, StartEvent):
            kind = "start"
        elif self.is_a(event, StopEvent):
            kind = "stop"
        note, detail = shortened(", ".join(told), NOTE), _json(fields)[:DETAIL]
        return self._node(kind, event.type, note, () if cause is None else (cause,), detail)

    def box(self, kind: Kind, step: str, note: str, causes: Iterable[str]) -> str:
        """An execution of a step, with what led to it; those that have completed are numbered."""
        if note or kind != "step":
            return self._node(kind, step, note, causes)
        self.completed += 1
        return self._node(kind, step, note, causes, number=self.completed)

    def outside(self, label: str, note: str = "", causes: Iterable[str] = ()) -> str:
        """What is no part of the run."""
        return self._node("external", label, note, causes)

    def lead(self, source: str, target: str, loose: bool = False) -> None:
        """One node leads to another."""
        self.edges.append(Edge(source, target, loose=loose))

    def _node(
        self,
        kind: Kind,
        label: str,
        note: str,
        causes: Iterable[str],
        detail: str = "",
        number: int | None = None,
    ) -> str:
        id_ = str(len(self.nodes))
        self.nodes.append(Node(id_, kind, label, note, detail, number))
        for cause in dict.fromkeys(causes):
            self.lead(cause, id_)
        return id_


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
