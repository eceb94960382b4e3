"""Rerun: the begin of a new run at a checkpoint, changed or not."""

import time
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from cairn.engine.core.advance import advance
from cairn.engine.core.draft import Draft
from cairn.engine.core.facts import Fact
from cairn.engine.core.records import Head, Record, record
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.ids import new_number
from cairn.engine.language.events import Event
from cairn.engine.language.graph import Graph
from cairn.engine.library.adopting import adopted
from cairn.engine.library.rerun_input import with_input
from cairn.engine.library.rerun_output import with_output
from cairn.engine.library.rerun_source import RerunSource
from cairn.engine.runtime.buffers import LiveBuffers

InFlight = Literal["rerun", "adopt", "drop"]
"""The treatment of the steps that were under way at the checkpoint.

"rerun" executes them again, "adopt" takes the results that they had in the run itself, and "drop"
leaves them out.
"""


When = Literal["after", "before"]
"""The side of the checkpoint's own step at which a rerun begins.

"after" goes on from the step's result. "before" executes the step again.
"""


class Beginning(NamedTuple):
    """The snapshot that a rerun begins with, and the facts before all others."""

    snapshot: Snapshot
    facts: Sequence[Fact] = ()


def beginning(
    graph: Graph,
    source: RerunSource,
    in_flight: InFlight = "rerun",
    output_event: Event | None = None,
    when: When = "after",
    input_event: Event | None = None,
) -> Beginning:
    """The begin of a rerun of the checkpoint; see `Workflow.run_from`.

    Raises:
        WorkflowRuntimeError: nothing is left to run, or a change does not fit.
        SerializationError: a change cannot be stored.
    """
    if when == "after":
        if input_event is not None:
            raise WorkflowRuntimeError(
                "input_event is for when='before': after the checkpoint, its step is not executed "
                "again. Give an output_event instead, or say when='before'."
            )
        snapshot, oldest = _after(graph, source, output_event), source.first_id
        earlier = [d.id for d in source.snapshot.pending() if d.id < oldest]
    elif when == "before":
        if output_event is not None:
            raise WorkflowRuntimeError(
                "output_event is for when='after': with when='before' the step is executed again, "
                "and gives an event of its own. Give an input_event instead."
            )
        snapshot = with_input(graph, source, input_event)
        earlier = [d.id for d in snapshot.pending() if d.id != source.completed]
    else:
        raise WorkflowRuntimeError(f"when must be 'after' or 'before', not {when!r}.")
    if in_flight == "rerun":
        return Beginning(snapshot)
    if in_flight == "drop":
        return Beginning(_without(graph.routes, snapshot, earlier))
    if in_flight == "adopt":
        course = source.course(with_own=when == "before")
        if course is None:
            raise WorkflowRuntimeError(
                "in_flight='adopt' needs what the run did later: take the checkpoint from its "
                "context (handler.ctx.checkpoints), not from JSON."
            )
        begun = source.snapshot if when == "after" else source.before
        assert begun is not None  # `with_input` has looked
        return Beginning(snapshot, adopted(begun, earlier, course))
    raise WorkflowRuntimeError(f"in_flight must be 'rerun', 'adopt' or 'drop', not {in_flight!r}.")


def _after(graph: Graph, source: RerunSource, output_event: Event | None) -> Snapshot:
    snapshot = source.snapshot.anew(time.time())
    if snapshot.stopped is not None:
        raise WorkflowRuntimeError(
            "The run had ended at this checkpoint: nothing is left to run from there. "
            "Take an earlier one."
        )
    return snapshot if output_event is None else with_output(graph, source, output_event)


def recorded(
    graph: Graph, run: UUID, head: Head, snapshot: Snapshot, facts: Iterable[Fact]
) -> list[Record]:
    """The checkpoints that the facts leave, one after the other."""
    records: list[Record] = []
    parent, seq = head.number, head.seq
    for fact in facts:
        if snapshot.stopped is not None:
            break
        delta = advance(graph.routes, snapshot, fact)
        records.append(record(new_number(), run, parent, seq + 1, fact, None, snapshot, delta))
        snapshot, parent, seq = records[-1].snapshot, records[-1].number, seq + 1
    return records


def _without(routes: Routes, snapshot: Snapshot, ids: Iterable[int]) -> Snapshot:
    """The snapshot without these deliveries, and without the entries that their steps collected."""
    for id_ in ids:
        if id_ in snapshot.deliveries:
            buffers, draft = LiveBuffers(snapshot), Draft(routes, snapshot)
            buffers.abandon(id_)
            draft.buffers, draft.calls = buffers.news()
            draft.leave(draft.take_out(id_).batch)
            snapshot = snapshot.after(draft.delta())
    return snapshot
