"""The parts of a graph as pydantic models: nodes of several types, and edges."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class WorkflowNodeBase(BaseModel):
    """Base of all nodes.

    Attributes:
        id: the identifier that edges refer to.
        label: the name for readers.
    """

    id: str
    label: str

    def truncated_label(self, max_length: int) -> str:
        """Return the label, cut to `max_length` characters; an asterisk ends a cut label."""
        if len(self.label) <= max_length:
            return self.label
        return self.label[: max(max_length - 1, 0)] + "*"


class WorkflowStepNode(WorkflowNodeBase):
    """A step.

    Attributes:
        description: the docstring of the step.
    """

    node_type: Literal["step"] = "step"
    description: str | None = None


class WorkflowEventNode(WorkflowNodeBase):
    """A type of event.

    Attributes:
        event_type: the name of the class.
        event_types: that name, then the names of its base classes among events, nearest first.
        event_schema: the JSON Schema of the class; `None` if the type of a field has none.
        produced_by: the names of the steps that may return the event.
    """

    node_type: Literal["event"] = "event"
    event_type: str
    event_types: list[str]
    event_schema: dict[str, Any] | None = None
    produced_by: list[str] = []

    def is_subclass_of(self, event_type: str) -> bool:
        """Return True for the class of that name and for its subclasses."""
        return event_type in self.event_types


class WorkflowExternalNode(WorkflowNodeBase):
    """A person outside the workflow, who receives questions and gives answers."""

    node_type: Literal["external"] = "external"


class WorkflowResourceNode(WorkflowNodeBase):
    """A resource that a factory makes, or a workflow passed to a step.

    Attributes:
        type_name: the name of the class, if an annotation names the class.
        getter_name: the name of the factory.
        source_file: the file that defines the factory.
        source_line: the first line of the factory in that file.
        description: the docstring of the factory.
    """

    node_type: Literal["resource"] = "resource"
    type_name: str | None = None
    getter_name: str | None = None
    source_file: str | None = None
    source_line: int | None = None
    description: str | None = None


class WorkflowResourceConfigNode(WorkflowNodeBase):
    """A resource that is read from a configuration file.

    Attributes:
        type_name: the name of the model that the file is read into.
        config_file: the absolute path of the file.
        path_selector: the keys to a part of the file, joined by dots; `None` is the whole file.
        config_schema: the JSON Schema of the model.
        config_value: the content of the file, read into the model; `None` if that fails. Secrets of
            pydantic stay hidden.
        description: the purpose of the configuration.
    """

    node_type: Literal["resource_config"] = "resource_config"
    type_name: str | None = None
    config_file: str | None = None
    path_selector: str | None = None
    config_schema: dict[str, Any] | None = None
    config_value: dict[str, Any] | None = None
    description: str | None = None


class WorkflowGenericNode(WorkflowNodeBase):
    """A node of an unknown type, so that graphs of newer versions remain readable."""

    node_type: str
    event_type: str | None = None
    event_types: list[str] | None = None

    def is_subclass_of(self, event_type: str) -> bool:
        """Return True if the node lists this type of event."""
        return event_type in (self.event_types or ())


# Left to right: each class but the last accepts only its own node_type.
WorkflowGraphNode = Annotated[
    WorkflowStepNode
    | WorkflowEventNode
    | WorkflowExternalNode
    | WorkflowResourceNode
    | WorkflowResourceConfigNode
    | WorkflowGenericNode,
    Field(union_mode="left_to_right"),
]


class WorkflowGraphEdge(BaseModel):
    """An edge from one node to the next.

    Attributes:
        source: the id of the first node.
        target: the id of the second node.
        label: at a resource, the name of the parameter. At an event, "list" or "first n" if the
            event is returned or taken in a list, "fails" if the event is given when the step fails.
            For an edge through nodes that were filtered out, the label of the first of these.
    """

    source: str
    target: str
    label: str | None = None


class WorkflowGraph(BaseModel):
    """A workflow as nodes and edges.

    Attributes:
        name: the name of the workflow's class.
        nodes: the steps, the events, a person if there are questions, and the resources.
        edges: the edges between these.
        description: the docstring of the workflow's class.
    """

    name: str
    nodes: list[WorkflowGraphNode]
    edges: list[WorkflowGraphEdge]
    description: str | None = None

    def filter_by_node_type(self, *node_types: str) -> "WorkflowGraph":
        """Return the graph without the nodes of the given types, such as `"event"`.

        A path through removed nodes becomes one edge, labelled as the first removed node.
        """
        hidden = {node.id: node.label for node in self.nodes if node.node_type in node_types}
        leads: defaultdict[str, list[str]] = defaultdict(list)
        for edge in self.edges:
            leads[edge.source].append(edge.target)
        edges: dict[tuple[str, str, str | None], WorkflowGraphEdge] = {}
        joined = {(edge.source, edge.target) for edge in self.edges}
        for edge in self.edges:
            if edge.source in hidden:
                continue
            if edge.target not in hidden:
                edges.setdefault((edge.source, edge.target, edge.label), edge)
                continue
            label = hidden[edge.target]
            for target in _next_visible(edge.target, leads, hidden):
                if (edge.source, target) not in joined:
                    joined.add((edge.source, target))
                    edges[edge.source, target, label] = WorkflowGraphEdge(
                        source=edge.source, target=target, label=label
                    )
        return WorkflowGraph(
            name=self.name,
            nodes=[node for node in self.nodes if node.id not in hidden],
            edges=list(edges.values()),
            description=self.description,
        )


def _next_visible(start: str, leads: dict[str, list[str]], hidden: Iterable[str]) -> Iterator[str]:
    """Return the first visible nodes on all paths from a hidden one."""
    visited, ahead = {start}, [start]
    while ahead:
        for target in leads.get(ahead.pop(0), ()):
            if target not in hidden:
                yield target
            elif target not in visited:
                visited.add(target)
                ahead.append(target)
