"""Builds the graph of a workflow."""

import inspect
from collections.abc import Iterable, Iterator

from cairn.engine.language.collect import Take
from cairn.engine.language.events import (
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StepFailedEvent,
)
from cairn.engine.language.steps import Step
from cairn.engine.library.workflow import Workflow
from cairn.engine.representation.nodes import (
    WorkflowEventNode,
    WorkflowExternalNode,
    WorkflowGraph,
    WorkflowGraphEdge,
    WorkflowGraphNode,
    WorkflowStepNode,
)
from cairn.engine.representation.resources import Resources, schema_of

PERSON = "external_step"
"""The id of the node for the person who answers the workflow's questions."""


def get_workflow_representation(workflow: Workflow | type[Workflow]) -> WorkflowGraph:
    """Return the steps and events of a workflow, or of a workflow class, as nodes and edges.

        get_workflow_representation(JokeFlow).model_dump_json()

    Raises:
        WorkflowValidationError: steps and events do not fit together; the message lists all
            problems.
    """
    cls = workflow if isinstance(workflow, type) else type(workflow)
    graph = cls.graph_of_class() if isinstance(workflow, type) else workflow.graph
    events: dict[str, WorkflowEventNode] = {}
    nodes: list[WorkflowGraphNode] = []
    edges: list[WorkflowGraphEdge] = []
    resources = Resources()
    for step in graph.steps.values():
        node = WorkflowStepNode(id=step.name, label=step.name, description=step.description or None)
        nodes.append(node)
        for kind in (*step.takes, *step.gives):
            if kind.__name__ not in events:
                events[kind.__name__] = event = _event_node(kind)
                nodes.append(event)
        for kind in step.takes:
            edges.append(_edge(kind.__name__, step.name, _collects(step)))
        for kind in step.gives:
            alone = kind in step.signature.gives_alone
            edges.append(_edge(step.name, kind.__name__, None if alone else "list"))
            events[kind.__name__].produced_by.append(step.name)
        resources.add(step)
    failing = [step for step in graph.steps if step in graph.handlers]
    edges += [_edge(step, StepFailedEvent.__name__, "fails") for step in failing]
    person_edges = list(_person_edges(events.values()))
    if person_edges:
        nodes.append(WorkflowExternalNode(id=PERSON, label="person"))
    return WorkflowGraph(
        name=cls.__name__,
        nodes=[*nodes, *resources.nodes],
        edges=[*edges, *person_edges, *resources.edges],
        description=inspect.cleandoc(cls.__doc__) if cls.__doc__ else None,
    )


def _edge(source: str, target: str, label: str | None = None) -> WorkflowGraphEdge:
    return WorkflowGraphEdge(source=source, target=target, label=label)


def _collects(step: Step) -> str | None:
    """Return the edge label of a step that takes a list: the number of events to collect."""
    if step.signature.collects is None:
        return None
    cardinality = step.signature.collects.cardinality
    return f"first {cardinality.n}" if isinstance(cardinality, Take) else "list"


def _person_edges(events: Iterable[WorkflowEventNode]) -> Iterator[WorkflowGraphEdge]:
    for event in events:
        if event.is_subclass_of(InputRequiredEvent.__name__):
            yield _edge(event.id, PERSON)
        if event.is_subclass_of(HumanResponseEvent.__name__):
            yield _edge(PERSON, event.id)


def _event_node(kind: type[Event]) -> WorkflowEventNode:
    name = kind.__name__
    inherited = [c.__name__ for c in kind.__mro__[1:] if issubclass(c, Event) and c is not Event]
    return WorkflowEventNode(
        id=name,
        label=name,
        event_type=name,
        event_types=[name, *inherited],
        event_schema=schema_of(kind),
    )
