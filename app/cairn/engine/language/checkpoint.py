"""Checkpoint: a run after one more fact."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, Self, cast
from uuid import UUID
from weakref import WeakValueDictionary

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from cairn.engine.core.delta_json import from_json, to_json
from cairn.engine.core.facts import Fact, Received
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delta, Snapshot, whole
from cairn.engine.errors import SerializationError
from cairn.engine.language.ctx_state import Trail, ctx_state
from cairn.engine.language.events import Event
from cairn.engine.language.serialization import Serializer
from cairn.engine.values.extended_json import Json, copied
from cairn.engine.values.sealed import SealedEvent


class CheckpointGraph(Protocol):
    """The graph of a workflow, reduced to the needs of its checkpoints."""

    @property
    def steps(self) -> Iterable[str]:
        """The names of the steps."""

    @property
    def serializer(self) -> Serializer:
        """The serializer of the workflow's events."""


class HasRecords(Protocol):
    """A journal, reduced to its records."""

    @property
    def records(self) -> Sequence[Record]:
        """The records of the runs in the context."""


WORKFLOWS: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""The workflows defined in this process, by qualified name: for checkpoints read from JSON."""


class Checkpoint(BaseModel):
    """A run after one more fact: the starting point of `Workflow.run_from`.

        handler = workflow.run_from(checkpoint=ctx.checkpoints[1], ctx=ctx)

    Pydantic's own methods (`model_dump_json`, `model_validate_json`) write a checkpoint to JSON and
    read an equal one back. Reading needs the class of the checkpoint's workflow, defined in this
    process or passed as `context={"workflow": ...}`; the passed one comes first. Without either,
    reading raises a SerializationError.

    Attributes:
        id_: the id of the checkpoint; ids count up with time.
        last_completed_step: the step whose completion left the checkpoint. `None` for other facts:
            an event from outside (such as a run's StartEvent), the beginning or the timeout of a
            wait, a failure handed to a `@catch_error` step.
        input_event: the event that the step took; `None` for an event from outside.
        output_event: the event that the step returned, an `EventBatch` for a list. For other facts,
            the event from outside, the question of the wait or the StepFailedEvent. `None` if there
            is none.
        run_id: the id of the run.
        workflow: the qualified name of the workflow's class.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    id_: str
    last_completed_step: str | None
    input_event: Event | None
    output_event: Event | None
    run_id: str
    workflow: str

    _snapshot: Snapshot = PrivateAttr()
    _graph: CheckpointGraph = PrivateAttr()
    _trail: "Trail | None" = PrivateAttr(default=None)
    _ctx_state: dict[str, Json] | None = PrivateAttr(default=None)
    _first_id: int = PrivateAttr(default=0)
    _taken: SealedEvent | None = PrivateAttr(default=None)
    _given: SealedEvent | None = PrivateAttr(default=None)
    _record: Record | None = PrivateAttr(default=None)
    _journal: HasRecords | None = PrivateAttr(default=None)

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot from which a run can continue."""
        return self._snapshot

    @property
    def ctx_state(self) -> dict[str, Json]:
        """The content of the context at this point, as JSON; computed on first access.

        See `cairn.engine.language.ctx_state` for the keys.
        """
        if self._ctx_state is None:
            self._ctx_state = ctx_state(self._graph.steps, self._snapshot, self._trail or ())
        return cast("dict[str, Json]", copied(self._ctx_state))

    @property
    def first_id(self) -> int:
        """The lowest delivery id that this checkpoint's fact could give.

        Pending deliveries with lower ids were pending before the fact.
        """
        return self._first_id

    @property
    def before(self) -> Snapshot | None:
        """The snapshot before this checkpoint; `None` if read from JSON."""
        return None if self._record is None else self._record.before

    @property
    def completed(self) -> int | None:
        """The id of the delivery whose step has completed, if any is known."""
        return None if self._record is None else self._record.completed

    @property
    def parent(self) -> UUID | None:
        """The id of the checkpoint before this one, if any is known."""
        return None if self._record is None else self._record.parent

    def course(self, *, with_own: bool) -> list[tuple[Fact, Delta]] | None:
        """Return the facts of the run after this checkpoint; `None` if read from JSON.

        Args:
            with_own: whether the fact of this checkpoint comes first.
        """
        if self._record is None or self._journal is None:
            return None
        run, first = self._record.run, self._record.seq + (0 if with_own else 1)
        records = self._journal.records
        return [
            (each.fact, each.delta) for each in records if each.run == run and each.seq >= first
        ]

    @property
    def taken(self) -> SealedEvent | None:
        """The input event as recorded, unaffected by changes to `input_event`."""
        return self._taken

    @property
    def given(self) -> SealedEvent | None:
        """The output event as recorded, unaffected by changes to `output_event`."""
        return self._given

    @property
    def said_to(self) -> str | None:
        """The one step that the event from outside was addressed to, if any is known."""
        fact = None if self._record is None else self._record.fact
        return fact.sent.step if isinstance(fact, Received) else None

    def has_answered(self, event: SealedEvent) -> bool:
        """Return whether the event, sent by this checkpoint's fact, has answered a step's wait."""
        # A checkpoint read from JSON has no delta: an earlier answer that is equal counts, too.
        waits = self._snapshot.waits if self._record is None else self._record.delta.waits.put
        return any(wait.answer == event for wait in waits.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checkpoint) and self.model_dump() == other.model_dump()

    def __hash__(self) -> int:
        return hash(self.id_)

    @model_serializer(mode="plain")
    def _write(self) -> dict[str, Json]:
        written = {
            "id_": self.id_,
            "last_completed_step": self.last_completed_step,
            "input_event": None if self._taken is None else self._taken.to_json(),
            "output_event": None if self._given is None else self._given.to_json(),
            "ctx_state": self.ctx_state,
            "run_id": self.run_id,
            "workflow": self.workflow,
            "snapshot": to_json(whole(self._snapshot)),
            "first_id": self._first_id,
        }
        return cast("dict[str, Json]", copied(written))  # the reader may change the dict

    @model_validator(mode="wrap")
    @classmethod
    def _read(
        cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        if not isinstance(data, dict) or "snapshot" not in data:
            return handler(data)
        data = copied(data)
        graph = _graph_for(str(data.get("workflow")), info.context or {})
        taken, given = (
            data[name] and SealedEvent.from_json(data[name])
            for name in ("input_event", "output_event")
        )
        open_ = graph.serializer.open
        events = {"input_event": taken and open_(taken), "output_event": given and open_(given)}
        names = ("id_", "last_completed_step", "run_id", "workflow")
        checkpoint = handler({name: data[name] for name in names} | events)
        checkpoint._snapshot = Snapshot().after(from_json(data["snapshot"]))
        checkpoint._graph = graph
        checkpoint._taken, checkpoint._given = taken, given
        checkpoint._ctx_state = data["ctx_state"]
        checkpoint._first_id = data["first_id"]
        return checkpoint


def filtered(
    checkpoints: Iterable[Checkpoint],
    last_completed_step: str | None,
    input_event_type: type[Event] | str | None,
    output_event_type: type[Event] | str | None,
) -> list[Checkpoint]:
    """Return the checkpoints that match all the given filters; see `Context.filter_checkpoints`.

    Raises:
        ValueError: no filter is given.
    """
    if last_completed_step is None and input_event_type is None and output_event_type is None:
        raise ValueError(
            "Give at least one filter: last_completed_step, input_event_type or output_event_type."
        )
    return [
        checkpoint
        for checkpoint in checkpoints
        if (last_completed_step is None or checkpoint.last_completed_step == last_completed_step)
        and _is_of(checkpoint.input_event, input_event_type)
        and _is_of(checkpoint.output_event, output_event_type)
    ]


def qualified(workflow: type) -> str:
    """Return the name under which checkpoints record the workflow's class."""
    return f"{workflow.__module__}.{workflow.__qualname__}"


def _graph_for(name: str, context: dict[str, Any]) -> CheckpointGraph:
    given = context.get("workflow")
    if given is not None:
        return given.graph  # type: ignore[no-any-return]
    found = WORKFLOWS.get(name)
    if found is None:
        raise SerializationError(
            f"This checkpoint is one of {name}, which this process does not know. Define or import "
            'it first, or pass a workflow as context={"workflow": ...}.'
        )
    graph: CheckpointGraph = found.graph_of_class()
    return graph


def _is_of(event: Event | None, kind: type[Event] | str | None) -> bool:
    if kind is None:
        return True
    if isinstance(kind, str):
        return event is not None and type(event).__name__ == kind
    return type(event) is kind
