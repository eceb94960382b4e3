"""The checkpoints of a context, made from the records of its journal."""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol
from uuid import UUID

from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delta
from cairn.engine.language.checkpoint import Checkpoint, qualified
from cairn.engine.language.ctx_state import TRAIL, Trail
from cairn.engine.language.graph import Graph
from cairn.engine.library.memory_journal import MemoryJournal


class HasGraph(Protocol):
    """The part of a workflow that its checkpoints need."""

    @property
    def graph(self) -> Graph:
        """The steps, and the way of each event."""


def checkpoints_of(workflow: HasGraph, journal: MemoryJournal) -> list[Checkpoint]:
    """The checkpoints of the journal's records, oldest first."""
    trails: dict[UUID, _Trail] = {}
    checkpoints = []
    for record in journal.records:
        before = None if record.parent is None else trails.get(record.parent)
        trails[record.id] = trail = _Trail(before, record)
        checkpoint = _checkpoint(workflow, record, trail)
        checkpoint._journal = journal
        checkpoints.append(checkpoint)
    return checkpoints


class _Trail(Sequence[tuple[str | None, str | None, Delta]]):
    """The steps, events and deltas that led to a checkpoint, oldest first.

    Reading goes back from parent to parent, over `TRAIL` checkpoints at most. Until then, a trail
    costs one reference.
    """

    def __init__(self, before: "_Trail | None", record: Record) -> None:
        self._before = before
        self._record = record

    def _steps(self) -> list[tuple[str | None, str | None, Delta]]:
        way: list[tuple[str | None, str | None, Delta]] = []
        here: _Trail | None = self
        while here is not None and len(way) < TRAIL:
            record = here._record
            taken = None if record.input_event is None else record.input_event.type
            way.append((record.last_completed_step, taken, record.delta))
            here = here._before
        return way[::-1]

    def __iter__(self) -> Iterator[tuple[str | None, str | None, Delta]]:
        return iter(self._steps())

    def __len__(self) -> int:
        return len(self._steps())

    def __getitem__(self, index: Any) -> Any:
        return self._steps()[index]


def _checkpoint(workflow: HasGraph, record: Record, trail: Trail) -> Checkpoint:
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
