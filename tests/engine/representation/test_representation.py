"""The graph of a workflow as JSON."""

from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, SecretStr

from cairn import (
    Collect,
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    Resource,
    ResourceConfig,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Take,
    Workflow,
    WorkflowGraph,
    WorkflowValidationError,
    catch_error,
    get_workflow_representation,
    step,
)
from cairn.engine.representation import (
    WorkflowEventNode,
    WorkflowExternalNode,
    WorkflowGenericNode,
    WorkflowGraphEdge,
    WorkflowNodeBase,
    WorkflowResourceConfigNode,
    WorkflowResourceNode,
    WorkflowStepNode,
)


class Draft(Event):
    text: str


class Revision(Draft):
    """A draft once more."""


class Question(InputRequiredEvent):
    pass


class Verdict(HumanResponseEvent):
    good: bool


class Writing(Workflow):
    """Writes until a person is content."""

    @step
    async def write(self, ev: StartEvent | Revision) -> Draft:
        """Put it into words."""
        return Draft(text="")

    @step
    async def show(self, ev: Draft) -> Question:
        return Question()

    @step
    async def judge(self, ev: Verdict) -> Revision | StopEvent:
        return StopEvent() if ev.good else Revision(text="")


def edges(graph: WorkflowGraph) -> set[tuple[str, str, str | None]]:
    return {(edge.source, edge.target, edge.label) for edge in graph.edges}


def event(graph: WorkflowGraph, name: str) -> WorkflowEventNode:
    (found,) = [n for n in graph.nodes if isinstance(n, WorkflowEventNode) and n.id == name]
    return found


def graph(*ways: str, hidden: str = "") -> WorkflowGraph:
    """A graph of edges such as `a>b`; the nodes named in `hidden` are events."""
    names = dict.fromkeys(name for way in ways for name in way.split(">"))
    nodes: list[Any] = [
        WorkflowEventNode(id=n, label=f"the {n}", event_type=n, event_types=[n])
        if n in hidden
        else WorkflowStepNode(id=n, label=n)
        for n in names
    ]
    pairs = [way.split(">") for way in ways]
    return WorkflowGraph(
        name="G", nodes=nodes, edges=[WorkflowGraphEdge(source=a, target=b) for a, b in pairs]
    )


def test_steps_events_and_the_edges_between_them_are_there() -> None:
    found = get_workflow_representation(Writing)
    assert found.name == "Writing"
    assert found.description == "Writes until a person is content."
    assert edges(found) == {
        ("StartEvent", "write", None),
        ("Revision", "write", None),
        ("write", "Draft", None),
        ("Draft", "show", None),
        ("show", "Question", None),
        ("Question", "external_step", None),
        ("external_step", "Verdict", None),
        ("Verdict", "judge", None),
        ("judge", "Revision", None),
        ("judge", "StopEvent", None),
    }
    assert {n.node_type for n in found.nodes} == {"step", "event", "external"}
    assert len({n.id for n in found.nodes}) == len(found.nodes) == 10


def test_a_workflow_and_its_class_have_the_same_graph() -> None:
    assert get_workflow_representation(Writing()) == get_workflow_representation(Writing)


def test_a_step_is_described_by_its_docstring() -> None:
    steps = {
        node.id: node.description
        for node in get_workflow_representation(Writing).nodes
        if isinstance(node, WorkflowStepNode)
    }
    assert steps == {"write": "Put it into words.", "show": None, "judge": None}


def test_a_step_that_is_a_function_is_described_too() -> None:
    class Open(Workflow):
        @step
        async def first(self, ev: StartEvent) -> Draft:
            return Draft(text="")

    @step(workflow=Open)
    async def last(ev: Draft) -> StopEvent:
        """The end of it."""
        return StopEvent()

    (node,) = [n for n in get_workflow_representation(Open).nodes if n.id == "last"]
    assert isinstance(node, WorkflowStepNode)
    assert node.description == "The end of it."


def test_lists_and_failures_are_said_at_the_edges() -> None:
    class Several(Workflow):
        @step
        async def split(self, ev: StartEvent) -> list[Draft] | StopEvent:
            return []

        @step
        async def work(self, ev: Draft) -> Revision:
            return Revision(text="")

        @catch_error(for_steps=["work"])
        async def mend(self, ev: StepFailedEvent) -> Revision:
            return Revision(text="")

        @step
        async def judge(self, ev: Annotated[list[Revision], Collect(Take(2))]) -> StopEvent:
            return StopEvent()

    assert edges(get_workflow_representation(Several)) == {
        ("StartEvent", "split", None),
        ("split", "Draft", "list"),
        ("split", "StopEvent", None),
        ("Draft", "work", None),
        ("work", "Revision", None),
        ("work", "StepFailedEvent", "fails"),
        ("StepFailedEvent", "mend", None),
        ("mend", "Revision", None),
        ("Revision", "judge", "first 2"),
        ("judge", "StopEvent", None),
    }


def test_a_workflow_of_which_some_checks_are_skipped_has_a_graph() -> None:
    class Loose(Workflow):
        @step
        async def only(self, ev: StartEvent) -> StopEvent | Draft:
            return StopEvent()

    with pytest.raises(WorkflowValidationError):
        get_workflow_representation(Loose())
    loose = get_workflow_representation(Loose(skip_graph_checks=["terminal_event"]))
    assert ("only", "Draft", None) in edges(loose)


class Access(BaseModel):
    user: str
    password: SecretStr


class Database:
    pass


ACCESS = ResourceConfig("access.json", "main", label="access", description="Who may.")


def open_database(access: Annotated[Access, ACCESS]) -> Database:
    """Open it."""
    return Database()


class Storing(Workflow):
    @step
    async def keep(
        self,
        ev: StartEvent,
        db: Annotated[Database, Resource(open_database)],
        writing: Writing,
    ) -> Draft:
        return Draft(text="")

    @step
    async def end(
        self, ev: Draft, store: Annotated[Database, Resource(open_database)]
    ) -> StopEvent:
        return StopEvent()


def test_what_steps_are_given_is_there_once_with_all_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = '{"main": {"user": "ada", "password": "secret"}}'
    (tmp_path / "access.json").write_text(written)
    found = get_workflow_representation(Storing)
    given = [n for n in found.nodes if n.node_type.startswith("resource")]
    assert [(n.node_type, n.label) for n in given] == [
        ("resource", "Database"),
        ("resource_config", "access"),
        ("resource", "Writing"),
    ]
    database, access, other = (n.id for n in given)
    assert {edge for edge in edges(found) if edge[2]} == {
        ("keep", database, "db"),
        ("end", database, "store"),
        (database, access, "access"),
        ("keep", other, "writing"),
    }
    resource, config, _ = given
    assert isinstance(resource, WorkflowResourceNode)
    assert (resource.type_name, resource.getter_name) == ("Database", "open_database")
    assert resource.source_file == __file__
    assert resource.description == "Open it."
    assert isinstance(config, WorkflowResourceConfigNode)
    assert (config.type_name, config.path_selector) == ("Access", "main")
    assert config.config_file == str(tmp_path / "access.json")
    assert config.config_value == {"user": "ada", "password": "**********"}
    assert config.description == "Who may."


def test_a_configuration_that_cannot_be_read_is_there_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (config,) = [
        node
        for node in get_workflow_representation(Storing).nodes
        if isinstance(node, WorkflowResourceConfigNode)
    ]
    assert config.config_value is None
    assert config.config_schema is not None


def test_an_event_names_the_events_it_inherits_from() -> None:
    found = get_workflow_representation(Writing)
    assert event(found, "Revision").event_types == ["Revision", "Draft"]
    assert event(found, "Question").event_types == ["Question", "InputRequiredEvent"]
    assert event(found, "Revision").is_subclass_of("Draft")
    assert not event(found, "Draft").is_subclass_of("Revision")


def test_an_event_has_its_schema_and_the_steps_that_produce_it() -> None:
    found = event(get_workflow_representation(Writing), "Draft")
    assert found.event_schema is not None
    assert found.event_schema["properties"]["text"]["type"] == "string"
    assert found.produced_by == ["write"]


def test_an_event_of_which_json_has_no_schema_is_there_without() -> None:
    class Opaque:
        pass

    class Start(StartEvent):
        thing: Opaque | None = None

    class Odd(Workflow):
        @step
        async def only(self, ev: Start) -> StopEvent:
            return StopEvent()

    assert event(get_workflow_representation(Odd), "Start").event_schema is None


def test_where_nobody_is_asked_there_is_no_external_node() -> None:
    class Alone(Workflow):
        @step
        async def only(self, ev: StartEvent) -> StopEvent:
            return StopEvent()

    assert len(get_workflow_representation(Alone).nodes) == 3


def test_what_does_not_fit_together_is_refused() -> None:
    class Endless(Workflow):
        @step
        async def only(self, ev: StartEvent) -> None:
            return None

    with pytest.raises(WorkflowValidationError, match="can never end"):
        get_workflow_representation(Endless)


def test_a_graph_is_json_and_back() -> None:
    nodes = [
        *get_workflow_representation(Writing).nodes,
        WorkflowResourceNode(id="resource_1", label="db", type_name="Database"),
        WorkflowResourceConfigNode(id="resource_config_1", label="c", config_file="c.json"),
        WorkflowGenericNode(id="x", label="x", node_type="of tomorrow"),
    ]
    written = WorkflowGraph(name="W", nodes=nodes, edges=[]).model_dump_json()
    read = WorkflowGraph.model_validate_json(written)
    assert read.nodes == nodes
    assert [type(node) for node in read.nodes] == [type(node) for node in nodes]


def test_a_node_of_a_type_that_is_not_known_is_read_as_it_is() -> None:
    raw = {"id": "x", "label": "x", "node_type": "new", "event_types": ["A"]}
    read = WorkflowGraph.model_validate({"name": "W", "nodes": [raw], "edges": []})
    (node,) = read.nodes
    assert isinstance(node, WorkflowGenericNode)
    assert node.is_subclass_of("A")


def test_a_label_can_be_cut() -> None:
    node = WorkflowNodeBase(id="x", label="a_long_name")
    assert node.truncated_label(20) == "a_long_name"
    assert node.truncated_label(11) == "a_long_name"
    assert node.truncated_label(5) == "a_lo*"


def test_without_its_events_a_graph_joins_the_steps() -> None:
    filtered = graph("a>E", "E>b", hidden="E").filter_by_node_type("event")
    assert [node.id for node in filtered.nodes] == ["a", "b"]
    assert edges(filtered) == {("a", "b", "the E")}


def test_a_way_through_several_that_are_left_out_has_the_label_of_the_first() -> None:
    filtered = graph("a>E", "E>F", "F>b", hidden="EF").filter_by_node_type("event")
    assert edges(filtered) == {("a", "b", "the E")}


def test_two_ways_between_the_same_nodes_become_one_edge() -> None:
    filtered = graph("a>E", "a>F", "E>b", "F>b", hidden="EF").filter_by_node_type("event")
    assert edges(filtered) == {("a", "b", "the E")}


def test_a_loop_of_what_is_left_out_is_walked_once() -> None:
    filtered = graph("a>E", "E>F", "F>E", "F>b", "b>E", hidden="EF").filter_by_node_type("event")
    assert edges(filtered) == {("a", "b", "the E"), ("b", "b", "the E")}


def test_what_led_only_to_nodes_left_out_is_gone_with_them() -> None:
    filtered = graph("a>E", "F>a", hidden="EF").filter_by_node_type("event")
    assert edges(filtered) == set()


def test_several_types_can_be_left_out() -> None:
    filtered = get_workflow_representation(Writing).filter_by_node_type("event", "external")
    assert ("show", "judge", "Question") in edges(filtered)
    assert filtered.description == "Writes until a person is content."


def test_leaving_out_a_type_that_is_not_there_changes_nothing() -> None:
    found = get_workflow_representation(Writing)
    assert found.filter_by_node_type("nonexistent") == found


def test_whoever_is_asked_is_one_node() -> None:
    found = get_workflow_representation(Writing)
    assert [n for n in found.nodes if isinstance(n, WorkflowExternalNode)] == [
        WorkflowExternalNode(id="external_step", label="person")
    ]
