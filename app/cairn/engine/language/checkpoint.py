"""Checkpoint: a run after one more fact, as the user sees it."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, Self, cast
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
from cairn.engine.core.facts import Received
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Snapshot, whole
from cairn.engine.errors import SerializationError
from cairn.engine.language.ctx_state import Trail, ctx_state
from cairn.engine.language.events import Event
from cairn.engine.language.serialization import Serializer
from cairn.engine.values.extended_json import Json, copied
from cairn.engine.values.sealed import SealedEvent


class Reads(Protocol):
    """The graph of a workflow, as far as its checkpoints need it."""

    @property
    def steps(self) -> Iterable[str]:
        """The names of the steps."""

    @property
    def serializer(self) -> Serializer:
        """Reads its events."""


class Kept(Protocol):
    """The journal of a context."""

    @property
    def records(self) -> Sequence[Record]:
        """What the runs in it have left."""


WORKFLOWS: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""The workflows defined in this process: whose types a checkpoint read from JSON may hold."""


class Checkpoint(BaseModel):
    """A run after one more fact: what `run_from` starts from.

    It goes to JSON and back unchanged by pydantic's own methods (`model_dump_json`,
    `model_validate_json`). The class of its workflow must have been defined by then; a workflow
    passed as `context={"workflow": ...}` is preferred.

    Attributes:
        id_: what tells it from every other.
        last_completed_step: the step that had just completed; `None` for a checkpoint that an
            event from outside, or the beginning of a wait, has left. A run's first is one.
        input_event: the event that the step took.
        output_event: the event that it gave; of a run's first checkpoint, the StartEvent.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    id_: str
    last_completed_step: str | None
    input_event: Event | None
    output_event: Event | None
    run_id: str
    workflow: str

    _snapshot: Snapshot = PrivateAttr()
    _graph: Reads = PrivateAttr()
    _trail: "Trail | None" = PrivateAttr(default=None)
    _ctx_state: dict[str, Json] | None = PrivateAttr(default=None)
    _first_id: int = PrivateAttr(default=0)
    _taken: SealedEvent | None = PrivateAttr(default=None)
    _given: SealedEvent | None = PrivateAttr(default=None)
    _record: Record | None = PrivateAttr(default=None)
    _journal: Kept | None = PrivateAttr(default=None)

    @property
    def snapshot(self) -> Snapshot:
        """All that a run from here needs."""
        return self._snapshot

    @property
    def ctx_state(self) -> dict[str, Json]:
        """What the context held at this point, as JSON, made when asked for."""
        if self._ctx_state is None:
            self._ctx_state = ctx_state(self._graph.steps, self._snapshot, self._trail or ())
        return cast("dict[str, Json]", copied(self._ctx_state))

    @property
    def first_id(self) -> int:
        """The lowest id that this checkpoint's own fact can have given to an event sent.

        A delivery pending with a lower id was pending before the fact.
        """
        return self._first_id

    def later(self) -> list[Record] | None:
        """What the run did after this checkpoint; `None` if that is not known here."""
        if self._record is None or self._journal is None:
            return None
        run, seq = self._record.run, self._record.seq
        return [it for it in self._journal.records if it.run == run and it.seq > seq]

    @property
    def taken(self) -> SealedEvent | None:
        """The input event as it was, whatever has become of the one shown."""
        return self._taken

    @property
    def given(self) -> SealedEvent | None:
        """The output event as it was, whatever has become of the one shown."""
        return self._given

    @property
    def said_to(self) -> str | None:
        """The one step that the event from outside was for, as far as is known."""
        fact = None if self._record is None else self._record.fact
        return fact.sent.step if isinstance(fact, Received) else None

    def has_answered(self, event: SealedEvent) -> bool:
        """Whether the event, which this checkpoint's fact has sent, is what a step waited for."""
        # Of one that was JSON it is not known when an equal event came.
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
        return cast("dict[str, Json]", copied(written))  # what is recorded is nobody else's

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
    """Those that match all the filters given; ValueError if none is."""
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
    """What the checkpoints of a workflow call its class."""
    return f"{workflow.__module__}.{workflow.__qualname__}"


def _graph_for(name: str, context: dict[str, Any]) -> Reads:
    given = context.get("workflow")
    if given is not None:
        return given.graph  # type: ignore[no-any-return]
    found = WORKFLOWS.get(name)
    if found is None:
        raise SerializationError(
            f"This checkpoint is one of {name}, which this process does not know. Define or import "
            'it first, or pass a workflow as context={"workflow": ...}.'
        )
    graph: Reads = found.graph_of_class()
    return graph


def _is_of(event: Event | None, kind: type[Event] | str | None) -> bool:
    if kind is None:
        return True
    if isinstance(kind, str):
        return event is not None and type(event).__name__ == kind
    return type(event) is kind
