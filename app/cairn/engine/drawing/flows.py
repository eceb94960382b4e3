"""The graph of a workflow as a picture."""

import json

from cairn.engine.drawing.picture import Edge, Node, NodeKind, Picture
from cairn.engine.language.events import StartEvent, StopEvent
from cairn.engine.representation import (
    WorkflowEventNode,
    WorkflowExternalNode,
    WorkflowGraph,
    WorkflowGraphNode,
    WorkflowResourceConfigNode,
    WorkflowResourceNode,
    WorkflowStepNode,
)


def picture_of_graph(graph: WorkflowGraph) -> Picture:
    """Return the picture of a graph; start events come first."""
    nodes = [_drawn(node) for node in graph.nodes]
    nodes.sort(key=lambda node: node.kind != "start")
    edges = tuple(Edge(edge.source, edge.target, edge.label or "") for edge in graph.edges)
    return Picture(graph.name, graph.description or "", tuple(nodes), edges)


def _drawn(node: WorkflowGraphNode) -> Node:
    kind: NodeKind = "event"
    detail: str | None = None
    match node:
        case WorkflowStepNode():
            kind, detail = "step", node.description
        case WorkflowEventNode():
            detail = _fields(node)
            if node.is_subclass_of(StartEvent.__name__):
                kind = "start"
            elif node.is_subclass_of(StopEvent.__name__):
                kind = "stop"
        case WorkflowExternalNode():
            kind = "external"
        case WorkflowResourceNode():
            kind, detail = "resource", node.description or node.getter_name
        case WorkflowResourceConfigNode():
            kind, detail = "resource_config", node.description or node.config_file
    return Node(node.id, kind, node.label, detail=detail or "")


def _fields(node: WorkflowEventNode) -> str:
    schema = node.event_schema or {}
    described = str(schema.get("description", ""))
    fields = ", ".join(
        f"{name}: {part.get('type') or part.get('title') or json.dumps(part)}"
        for name, part in schema.get("properties", {}).items()
    )
    return "\n".join(part for part in (described, fields) if part)
