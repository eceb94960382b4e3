"""Checkpoint: a run after one more fact, as the user sees it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Self, cast
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

from cairn.engine.deltas import from_json, to_json
from cairn.engine.errors import SerializationError
from cairn.engine.events import Event
from cairn.engine.facts import Received
from cairn.engine.journal import Record
from cairn.engine.marks import Json, copied, plain
from cairn.engine.memory import MemoryJournal
from cairn.engine.serialization import SealedEvent
from cairn.engine.snapshot import Delta, Snapshot, whole

if TYPE_CHECKING:
    from cairn.engine.graph import Graph
    from cairn.engine.workflow import Workflow

WORKFLOWS: WeakValueDictionary[str, "type[Workflow]"] = WeakValueDictionary()
"""The workflows defined in this process: whose types a checkpoint read from JSON may hold."""

Trail = Sequence[tuple[str | None, str | None, Delta]]
"""Of the last `TRAIL` checkpoints up to this one: its step, the type of the step's event, and what
changed."""

TRAIL = 100
"""How far back a `ctx_state` looks: a checkpoint must not grow with the run's history."""

LOGGED = 200
"""How many characters of an event's field its log shows."""


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
    _graph: "Graph" = PrivateAttr()
    _trail: "Trail | None" = PrivateAttr(default=None)
    _ctx_state: dict[str, Json] | None = PrivateAttr(default=None)
    _first_id: int = PrivateAttr(default=0)
    _taken: SealedEvent | None = PrivateAttr(default=None)
    _given: SealedEvent | None = PrivateAttr(default=None)
    _record: Record | None = PrivateAttr(default=None)
    _journal: MemoryJournal | None = PrivateAttr(default=None)

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
        """Where the ids begin that this checkpoint's own fact has given to what it sent; what is
        pending with a lower one was pending before."""
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


def checkpoints_of(workflow: "Workflow", journal: MemoryJournal) -> list[Checkpoint]:
    """What the journal holds, as checkpoints."""
    trails: dict[UUID, _Trail] = {}
    checkpoints = []
    for record in journal.records:
        before = None if record.parent is None else trails.get(record.parent)
        trails[record.id] = trail = _Trail(before, record)
        checkpoint = _checkpoint(workflow, record, trail)
        checkpoint._journal = journal
        checkpoints.append(checkpoint)
    return checkpoints


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


def ctx_state(steps: Iterable[str], snapshot: Snapshot, trail: Trail) -> dict[str, Json]:
    """A context's inside, under the names by which users of the language know it.

    `steps` are the names of the workflow's steps, as far as they are known;
    `queues` has the events pending for each step; `broker_log` the events that went out up to here,
    and `accepted_events` the steps that have taken one, with its type: both as far back as the
    trail goes.
    """
    queues: dict[str, list[Json]] = {step: [] for step in steps}
    for delivery in snapshot.pending():
        queues.setdefault(delivery.step, []).append(shown(delivery.event))
    buffers: dict[str, dict[str, list[Json]]] = {}
    for entry in snapshot.buffers.values():
        if not entry.taken_by:
            buffer = buffers.setdefault(f"{entry.step}:{entry.buffer}", {})
            buffer.setdefault(entry.event.type, []).append(shown(entry.event))
    return {
        "globals": {key: plain(value) for key, value in sorted(snapshot.state.items())},
        "streaming_queue": [],  # what a run shows goes out at once
        "queues": queues,
        "stepwise": False,
        "events_buffer": buffers,
        "accepted_events": [[step, taken] for step, taken, _ in trail if step],
        "broker_log": [_in_short(shown(event)) for event in _gone_out(trail)],
        "is_running": snapshot.stopped is None,
    }


def shown(event: SealedEvent) -> Json:
    """An event as readers see it: its type's name, and its fields as ordinary JSON."""
    return {"type": event.type, "data": {name: plain(value) for name, value in event.data.items()}}


def _in_short(event: Json) -> Json:
    """An event as a log shows it: a checkpoint must not hold all that was before it."""
    for name, value in event["data"].items():
        if isinstance(value, str) and len(value) > LOGGED:
            event["data"][name] = f"{value[:LOGGED]}…"
        elif isinstance(value, (dict, list)) and len(str(value)) > LOGGED:
            event["data"][name] = "…"
    return event


class _Trail(Sequence[tuple[str | None, str | None, Delta]]):
    """The way to a checkpoint, found by going back from parent to parent only when asked for."""

    def __init__(self, before: "_Trail | None", record: Record) -> None:
        self._before = before
        self._record = record

    def _way(self) -> list[tuple[str | None, str | None, Delta]]:
        way: list[tuple[str | None, str | None, Delta]] = []
        here: _Trail | None = self
        while here is not None and len(way) < TRAIL:
            record = here._record
            taken = None if record.input_event is None else record.input_event.type
            way.append((record.last_completed_step, taken, record.delta))
            here = here._before
        return way[::-1]

    def __iter__(self) -> Iterator[tuple[str | None, str | None, Delta]]:
        return iter(self._way())

    def __len__(self) -> int:
        return len(self._way())

    def __getitem__(self, index: Any) -> Any:
        return self._way()[index]


def _checkpoint(workflow: "Workflow", record: Record, trail: Trail) -> Checkpoint:
    open_ = workflow.graph.serializer.open
    checkpoint = Checkpoint(
        id_=str(record.id),
        last_completed_step=record.last_completed_step,
        input_event=None if record.input_event is None else open_(record.input_event),
        output_event=None if record.output_event is None else open_(record.output_event),
        run_id=str(record.run),
        workflow=qualified(type(workflow)),
    )
    checkpoint._snapshot = record.snapshot
    checkpoint._graph = workflow.graph
    checkpoint._trail = trail
    checkpoint._record = record
    checkpoint._taken, checkpoint._given = record.input_event, record.output_event
    checkpoint._first_id = record.first_id
    return checkpoint


def qualified(workflow: "type[Workflow]") -> str:
    """What the checkpoints of a workflow call its class."""
    return f"{workflow.__module__}.{workflow.__qualname__}"


def _graph_for(name: str, context: dict[str, Any]) -> "Graph":
    given = context.get("workflow")
    if given is not None:
        return given.graph  # type: ignore[no-any-return]
    found = WORKFLOWS.get(name)
    if found is None:
        raise SerializationError(
            f"This checkpoint is one of {name}, which this process does not know. Define or import "
            'it first, or pass a workflow as context={"workflow": ...}.'
        )
    return found.graph_of_class()


def _is_of(event: Event | None, kind: type[Event] | str | None) -> bool:
    if kind is None:
        return True
    if isinstance(kind, str):
        return event is not None and type(event).__name__ == kind
    return type(event) is kind


def _gone_out(trail: Trail) -> Iterator[SealedEvent]:
    known: set[int] = set()  # a delivery is put again when its step begins to wait
    for _, _, delta in trail:
        deliveries = delta.deliveries.put
        sent = {id_: d.event for id_, d in deliveries.items()} | dict(delta.unclaimed.put)
        before: SealedEvent | None = None
        steps: set[str] = set()
        for id_ in sorted(sent.keys() - known):
            step = deliveries[id_].step if id_ in deliveries else ""
            # One event on its way to several steps went out once; two equal events are two.
            if sent[id_] != before or step in steps:
                before, steps = sent[id_], set()
                yield before
            steps.add(step)
        known |= sent.keys()
        if delta.stopped is not None:
            yield delta.stopped
