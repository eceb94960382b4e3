"""Sketch: the nodes and edges of a run's picture, while they are added."""

import json
from collections.abc import Iterable

from cairn.engine.drawing.picture import Edge, Node, NodeKind, shortened
from cairn.engine.language.events import StartEvent, StopEvent
from cairn.engine.language.graph import Graph
from cairn.engine.values.extended_json import plain
from cairn.engine.values.sealed import SealedEvent

NOTE, DETAIL = 30, 1_000
"""Characters of an event's fields in the picture, and in the text shown on request."""


class Sketch:
    """The nodes and edges added so far to the picture of a run.

    Attributes:
        completed: the number of steps drawn as completed.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.completed = 0
        self._graph = graph

    def is_a(self, event: SealedEvent, kind: type) -> bool:
        """Return True if the event's class is known, and is the class or a subclass."""
        found = self._graph.event_type(event.type)
        return found is not None and issubclass(found, kind)

    def event(self, event: SealedEvent, cause: str | None) -> str:
        """Add an event with some of its fields and an edge from its cause; return its id."""
        fields = {name: plain(value) for name, value in event.data.items()}
        shown = [f"{name}={_json(value)}" for name, value in fields.items() if value is not None]
        kind: NodeKind = "event"
        if self.is_a(event, StartEvent):
            kind = "start"
        elif self.is_a(event, StopEvent):
            kind = "stop"
        note, detail = shortened(", ".join(shown), NOTE), _json(fields)[:DETAIL]
        return self._node(kind, event.type, note, () if cause is None else (cause,), detail)

    def box(self, kind: NodeKind, step: str, note: str, causes: Iterable[str]) -> str:
        """Add an execution of a step, with edges from its causes; return the node's id.

        A completed execution, which is a step without a note, gets the next number.
        """
        if note or kind != "step":
            return self._node(kind, step, note, causes)
        self.completed += 1
        return self._node(kind, step, note, causes, number=self.completed)

    def outside(self, label: str, note: str = "", causes: Iterable[str] = ()) -> str:
        """Add a node for an origin outside of the run; return its id."""
        return self._node("external", label, note, causes)

    def lead(self, source: str, target: str, loose: bool = False) -> None:
        """Add an edge from one node to the next."""
        self.edges.append(Edge(source, target, loose=loose))

    def _node(
        self,
        kind: NodeKind,
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
