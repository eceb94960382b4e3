"""The JSON of requests and responses, as Pydantic models."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from pydantic import BaseModel, ConfigDict, Field
from pydantic.errors import PydanticInvalidForJsonSchema

from cairn.engine import StopEvent, Workflow
from cairn.engine.core.records import Status
from cairn.engine.drawing import all_possible_flows, mermaid
from cairn.engine.language.ctx_state import ctx_state, shown
from cairn.engine.values.extended_json import plain
from cairn.engine.values.sealed import SealedEvent
from cairn.store.annotations import Annotation
from cairn.store.checkpoints import CheckpointDetail, CheckpointSummary
from cairn.store.questions import OpenQuestion
from cairn.store.run_views import RunView
from cairn.store.waiting import AskedQuestion

T = TypeVar("T")
SCHEMAS: WeakKeyDictionary[type[BaseModel], dict[str, Any]] = WeakKeyDictionary()
"""JSON Schemas by class; to generate one takes a millisecond."""


class Body(BaseModel):
    """A request body. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class List(BaseModel, Generic[T]):
    """A page of a list: items, and the cursor of the next page."""

    items: list[T]
    next_cursor: str | None = Field(description="Pass it as `cursor` for more; null at the end.")


class EventOut(BaseModel):
    """An event: its type's name and its fields."""

    type: str
    data: dict[str, Any]

    @classmethod
    def of(cls, event: SealedEvent) -> "EventOut":
        """The model of an event."""
        return cls(**shown(event))


class StepOut(BaseModel):
    """A step: the types of event it takes and gives."""

    name: str
    takes: list[str]
    gives: list[str]
    num_workers: int


class WorkflowOut(BaseModel):
    """A workflow, and all that can be said of it without running it."""

    name: str
    description: str
    start_event_schema: dict[str, Any] = Field(description="JSON Schema of `start_event`.")
    stop_event_schema: dict[str, Any] = Field(description="JSON Schema of what ends a run.")
    event_schemas: dict[str, dict[str, Any]] = Field(description="JSON Schema of every event.")
    steps: list[StepOut]
    graph: str = Field(description="The graph as Mermaid text.")

    @classmethod
    def of(cls, workflow: Workflow) -> "WorkflowOut":
        """The model of a workflow."""
        graph = workflow.graph
        stops = [schema_of(stop) for stop in graph.stops]
        return cls(
            name=workflow.name,
            description=workflow.description,
            start_event_schema=schema_of(graph.start),
            stop_event_schema=stops[0] if len(stops) == 1 else {"anyOf": stops},
            event_schemas={name: schema_of(kind) for name, kind in graph.events.items()},
            steps=[
                StepOut(
                    name=step.name,
                    takes=_names(step.takes),
                    gives=_names(step.gives),
                    num_workers=step.num_workers,
                )
                for step in graph.steps.values()
            ],
            graph=mermaid(all_possible_flows(workflow)),
        )


class BrokenOut(BaseModel):
    """A file of the workflows' folder, or a workflow in it, that cannot be used."""

    file: str
    error: str


class WorkflowList(List[WorkflowOut]):
    """The workflows, and what could not be loaded."""

    broken: list[BrokenOut]


class ContextIn(Body):
    """Makes a context."""

    workflow: str = Field(examples=["joke"])


class ContextOut(BaseModel):
    """A context."""

    id: UUID
    workflow: str
    created_at: datetime


class RunIn(Body):
    """Starts a run."""

    workflow: str = Field(examples=["joke"])
    start_event: dict[str, Any] = Field(
        default_factory=dict,
        description="The fields of the start event.",
        examples=[{"topic": "math"}],
    )
    context_id: UUID | None = Field(
        default=None, description="The context to run in; null makes one.", examples=[None]
    )
    # A factory keeps the default out of the schema: generated clients would demand the field.
    if_busy: Literal["queue", "reject"] = Field(
        default_factory=lambda: "queue",
        description="While another run of the context is under way: wait for it, which is the "
        "default, or refuse.",
    )


class EventIn(Body):
    """Says something to a run."""

    type: str = Field(examples=["HumanResponseEvent"])
    data: dict[str, Any] = Field(default_factory=dict, examples=[{"response": "yes"}])


Tag = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]


Tags = Annotated[list[Tag], Field(max_length=20, examples=[["good"]])]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Note = Annotated[str, Field(max_length=10_000, pattern=r"^[^\x00]*$")]


class TagsIn(Body):
    """Tags a checkpoint."""

    tags: Tags = Field(description="All its tags; none, if empty.")


class AnnotationIn(Body):
    """Changes the words about a run or a checkpoint; a field left out stays as it is."""

    name: Name | None = Field(default=None, description="A short name; null takes it off.")
    note: Note | None = Field(default=None, description="A longer text; null takes it off.")
    # A factory keeps the default out of the schema: generated clients would send the empty list.
    tags: Tags = Field(default_factory=list, description="All the tags; none, if empty.")

    def changes(self) -> dict[str, Any]:
        """The fields that the request has, by name."""
        return self.model_dump(exclude_unset=True)


class ErrorOut(BaseModel):
    """Why a run failed."""

    type: str = Field(description="The name of the exception's class.")
    message: str
    step: str | None = Field(description="The step that raised it.")


class WaitingOut(BaseModel):
    """An event that a run waits for: the answer to a question, or one that its steps take."""

    model_config = ConfigDict(serialize_by_alias=True)

    type: str = Field(description="The type of the event: pass it to `POST /runs/{id}/events`.")
    schema_: dict[str, Any] | None = Field(
        alias="schema",
        description="JSON Schema of the event's fields; null while the workflow is not loaded.",
    )
    question: EventOut | None = Field(description="The event that asks for it, if there is one.")
    requirements: dict[str, Any] = Field(description="What fields of the event must be.")
    since: datetime = Field(description="When the run began to wait for it.")
    deadline: datetime | None = Field(description="When the run goes on without it, if it does.")

    @classmethod
    def of(cls, awaited: OpenQuestion) -> "WaitingOut":
        """The model of an event that a run waits for."""
        return cls(**_waiting(awaited))


class Target(BaseModel):
    """The request that answers a question."""

    method: Literal["POST"]
    path: str = Field(description="With the `type` and the `data` of the event as the body.")


class AskedOut(WaitingOut):
    """An event that a run waits for, with the run, and with where the event is to be sent."""

    run_id: UUID
    workflow: str
    context_id: UUID
    answer: Target

    @classmethod
    def of_run(cls, asked: AskedQuestion) -> "AskedOut":
        """The model of a question in a list."""
        return cls(
            **_waiting(asked.question),
            run_id=asked.run_id,
            workflow=asked.workflow,
            context_id=asked.context_id,
            answer=Target(method="POST", path=f"/runs/{asked.run_id}/events"),
        )


class WaitingList(List[AskedOut]):
    """Some of the questions, and where the next ones begin."""


SHOWN_AS: dict[str, Any] = {"stop_event": "result"}
"""The API's names for payloads of a run, if different from the stored names."""


class RunOut(BaseModel):
    """A run, as it stands."""

    id: UUID
    workflow: str
    status: Status
    context_id: UUID
    start_event: dict[str, Any] | None = Field(
        description="The fields of its start event; null if omitted, or damaged where it is stored."
    )
    result: Any = Field(
        description="What the StopEvent brought: its `result`, or the fields of a subclass."
    )
    error: ErrorOut | None
    parent_run_id: UUID | None = Field(description="The run it was rerun from.")
    root_run_id: UUID = Field(description="The run that the first of those reruns came from.")
    origin_checkpoint_id: UUID | None = Field(description="The checkpoint it was rerun from.")
    checkpoint_count: int
    waiting_for: list[WaitingOut] = Field(
        description="Of a run that waits: each event that it waits for."
    )
    name: str | None
    note: str | None
    tags: list[str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    omitted: list[Literal["start_event", "result", "waiting_for"]] = Field(
        description="Which of the two are left out of a list, because they take more than 64 kB. "
        "GET /runs/{run_id} gives them."
    )

    @classmethod
    def of(cls, run: RunView) -> "RunOut":
        """The model of a run."""
        error = None
        if run.error is not None:
            error = ErrorOut(type=run.error.type, message=run.error.message, step=run.error.step)
        return cls(
            id=run.id,
            workflow=run.workflow,
            status=run.status,
            context_id=run.context_id,
            start_event=None if run.start_event is None else shown(run.start_event)["data"],
            result=None if run.stop_event is None else _result(run.stop_event),
            error=error,
            parent_run_id=run.parent_run_id,
            root_run_id=run.root_run_id,
            origin_checkpoint_id=run.origin_checkpoint_id,
            checkpoint_count=run.checkpoint_count,
            waiting_for=[WaitingOut.of(awaited) for awaited in run.waiting_for],
            name=run.annotation.name,
            note=run.annotation.note,
            tags=list(run.annotation.tags),
            created_at=run.created_at,
            started_at=run.started_at,
            finished_at=run.finished_at,
            omitted=[SHOWN_AS.get(name, name) for name in run.omitted],
        )


class Count(BaseModel):
    """The number of runs that match."""

    value: int
    relation: Literal["exact", "at_least"] = Field(
        description="`at_least`: there are more, or some have not been looked at."
    )


class RunList(List[RunOut]):
    """Some of the runs, and where the next ones begin."""

    count: Count | None = Field(
        default=None,
        exclude_if=lambda count: count is None,
        description="How many runs match, on all pages; with `count=true`.",
    )


class CheckpointOut(BaseModel):
    """A run after one more fact: a step completed, or an event came from outside."""

    id: UUID
    run_id: UUID
    context_id: UUID
    workflow: str
    seq: int = Field(description="1 for the run's first.")
    parent_id: UUID | None
    last_completed_step: str | None
    input_event_type: str | None
    output_event_type: str | None
    name: str | None
    note: str | None
    tags: list[str]
    created_at: datetime


class CheckpointWithEvents(CheckpointOut):
    """A checkpoint with the event its step took and the one it gave."""

    input_event: EventOut | None
    output_event: EventOut | None


class CheckpointWhole(CheckpointWithEvents):
    """A checkpoint with what the context held at that point."""

    ctx_state: dict[str, Any]


def checkpoint_out(listed: CheckpointSummary, events: bool) -> CheckpointOut:
    """The model of a checkpoint in a list.

    Args:
        listed: the checkpoint.
        events: with the input event and the output event.
    """
    return (
        CheckpointWithEvents(**_with_events(listed)) if events else CheckpointOut(**_bare(listed))
    )


def checkpoint_whole(found: CheckpointDetail, steps: Iterable[str]) -> CheckpointWhole:
    """The model of a checkpoint with events and state.

    Args:
        found: the checkpoint.
        steps: the names of the workflow's steps; none if the workflow is not loaded.
    """
    state = ctx_state(steps, found.snapshot, found.trail)
    return CheckpointWhole(**_with_events(found.listed), ctx_state=state)


def _bare(listed: CheckpointSummary) -> dict[str, Any]:
    fields = CheckpointOut.model_fields.keys() - Annotation._fields
    return {name: getattr(listed, name) for name in fields} | listed.annotation._asdict()


def _with_events(listed: CheckpointSummary) -> dict[str, Any]:
    taken, given = listed.input_event, listed.output_event
    return _bare(listed) | {
        "input_event": None if taken is None else EventOut.of(taken),
        "output_event": None if given is None else EventOut.of(given),
    }


def _waiting(awaited: OpenQuestion) -> dict[str, Any]:
    return {
        "type": awaited.event_type,
        "schema": None if awaited.answer_type is None else schema_of(awaited.answer_type),
        "question": None if awaited.question is None else EventOut.of(awaited.question),
        "requirements": plain(dict(awaited.requirements)),
        "since": awaited.since,
        "deadline": awaited.deadline,
    }


def _result(stop: SealedEvent) -> Any:
    data = shown(stop)["data"]
    if stop.type == StopEvent.__name__:
        return data["result"]
    return {name: value for name, value in data.items() if name != "result" or value is not None}


def schema_of(kind: type[BaseModel]) -> dict[str, Any]:
    """JSON Schema of the fields of an event."""
    if kind not in SCHEMAS:
        try:
            SCHEMAS[kind] = kind.model_json_schema()
        except PydanticInvalidForJsonSchema as error:  # a field of a type without a JSON Schema
            SCHEMAS[kind] = {"title": kind.__name__, "type": "object", "$comment": error.message}
    return SCHEMAS[kind]


def _names(kinds: Iterable[type]) -> list[str]:
    return [kind.__name__ for kind in kinds]
