"""What a graph consists of, as pydantic models: nodes of several types, and edges."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field


class WorkflowNodeBase(BaseModel):
    """What every node has.

    Attributes:
        id: what edges call it.
        label: what readers call it.
    """

    id: str
    label: str

    def truncated_label(self, max_length: int) -> str:
        """The label, cut to so many characters; the last is then an asterisk."""
        if len(self.label) <= max_length:
            return self.label
        return self.label[: max(max_length - 1, 0)] + "*"


class WorkflowStepNode(WorkflowNodeBase):
    """A step; `description` is what its docstring says."""

    node_type: Literal["step"] = "step"
    description: str | None = None


class WorkflowEventNode(WorkflowNodeBase):
    """A type of event.

    Attributes:
        event_type: the name of its class.
        event_types: that name and those of the classes of events it inherits from, nearest first.
        event_schema: its JSON Schema; `None` where a field is of a type that has none.
        produced_by: the steps that may return it.
    """

    node_type: Literal["event"] = "event"
    event_type: str
    event_types: list[str]
    event_schema: dict[str, Any] | None = None
    produced_by: list[str] = []

    def is_subclass_of(self, event_type: str) -> bool:
        """Whether it is of the class of that name, or of one that inherits from it."""
        return event_type in self.event_types


class WorkflowExternalNode(WorkflowNodeBase):
    """Whoever is asked outside the workflow: takes the questions, gives the answers."""

    node_type: Literal["external"] = "external"


class WorkflowResourceNode(WorkflowNodeBase):
    """Something that steps are given: what a function makes, or another workflow.

    Attributes:
        type_name: the name of its class, as far as annotations tell.
        getter_name: the name of the function that makes it.
        source_file: where that function is defined.
        source_line: and at which line.
        description: what its docstring says.
    """

    node_type: Literal["resource"] = "resource"
    type_name: str | None = None
    getter_name: str | None = None
    source_file: str | None = None
    source_line: int | None = None
    description: str | None = None


class WorkflowResourceConfigNode(WorkflowNodeBase):
    """Something that steps or resources are given, read from a file.

    Attributes:
        type_name: the name of the model that it is read into.
        config_file: the file.
        path_selector: which part of the file, by its dotted path; `None` is all of it.
        config_schema: the model's JSON Schema.
        config_value: what the file says, read into the model; `None` where it cannot be read.
        description: what it is for.
    """

    node_type: Literal["resource_config"] = "resource_config"
    type_name: str | None = None
    config_file: str | None = None
    path_selector: str | None = None
    config_schema: dict[str, Any] | None = None
    config_value: dict[str, Any] | None = None
    description: str | None = None


class WorkflowGenericNode(WorkflowNodeBase):
    """A node of a type that this version does not know: a graph written by another is readable."""

    node_type: str
    event_type: str | None = None
    event_types: list[str] | None = None

    def is_subclass_of(self, event_type: str) -> bool:
        """Whether it names this type of event among its own."""
        return event_type in (self.event_types or ())


# The first that fits: each but the last names its own node_type.
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
    """From one node to another, by their ids.

    Attributes:
        label: to a resource, the parameter that is given it; to or from an event, what else there
            is to say: that it comes in a list, or that it is given should the step fail.
    """

    source: str
    target: str
    label: str | None = None


class WorkflowGraph(BaseModel):
    """A workflow as nodes and edges; `description` is what the docstring of its class says."""

    name: str
    nodes: list[WorkflowGraphNode]
    edges: list[WorkflowGraphEdge]
    description: str | None = None

    def filter_by_node_type(self, *node_types: str) -> "WorkflowGraph":
        """The graph without the nodes of these types, such as `"event"`.

        Where a way led through them there is one edge, with the label of the first node left out.
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
            for target in _beyond(edge.target, leads, hidden):
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


def _beyond(start: str, leads: dict[str, list[str]], hidden: Iterable[str]) -> Iterator[str]:
    """The first nodes to be seen on every way from one that is hidden."""
    seen, ahead = {start}, [start]
    while ahead:
        for target in leads.get(ahead.pop(0), ()):
            if target not in hidden:
                yield target
            elif target not in seen:
                seen.add(target)
                ahead.append(target)
