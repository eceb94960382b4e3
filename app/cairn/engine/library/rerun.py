"""Rerun: the begin of a new run at a checkpoint, changed or not."""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from cairn.engine.core.advance import advance
from cairn.engine.core.draft import Draft
from cairn.engine.core.facts import Fact, Sent
from cairn.engine.core.records import Head, Record, record
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.ids import new_number
from cairn.engine.language.checkpoint import Checkpoint
from cairn.engine.language.events import Event, StopEvent
from cairn.engine.language.graph import Graph
from cairn.engine.library.adopting import adopted
from cairn.engine.near import near
from cairn.engine.runtime.buffers import LiveBuffers
from cairn.engine.values.sealed import SealedEvent

InFlight = Literal["rerun", "adopt", "drop"]
"""The treatment of the steps that were under way at the checkpoint.

"rerun" executes them again, "adopt" takes the results that they had in the run itself, and "drop"
leaves them out.
"""


class Beginning(NamedTuple):
    """The snapshot that a rerun begins with, and the facts before all others."""

    snapshot: Snapshot
    facts: Sequence[Fact] = ()


def beginning(
    graph: Graph,
    checkpoint: Checkpoint,
    in_flight: InFlight = "rerun",
    output_event: Event | None = None,
    state: Mapping[str, Any] | None = None,
) -> Beginning:
    """The begin of a rerun of the checkpoint; see `Workflow.run_from`.

    Raises:
        WorkflowRuntimeError: nothing is left to run, or a change does not fit.
        SerializationError: a change cannot be stored.
    """
    snapshot = checkpoint.snapshot.anew(time.time())
    if snapshot.stopped is not None:
        raise WorkflowRuntimeError(
            "The run had ended at this checkpoint: nothing is left to run from there. "
            "Take an earlier one."
        )
    if output_event is not None:
        snapshot = _with_output(graph, checkpoint, output_event)
    if state is not None:
        snapshot = _with_state(graph, snapshot, state)
    ids = [d.id for d in checkpoint.snapshot.pending() if d.id < checkpoint.first_id]
    if in_flight == "rerun":
        return Beginning(snapshot)
    if in_flight == "drop":
        return Beginning(_without(graph.routes, snapshot, ids))
    if in_flight == "adopt":
        later = checkpoint.later()
        if later is None:
            raise WorkflowRuntimeError(
                "in_flight='adopt' needs what the run did later: take the checkpoint from its "
                "context (handler.ctx.checkpoints), not from JSON."
            )
        return Beginning(snapshot, adopted(checkpoint.snapshot, ids, later))
    raise WorkflowRuntimeError(f"in_flight must be 'rerun', 'adopt' or 'drop', not {in_flight!r}.")


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


def _with_state(graph: Graph, snapshot: Snapshot, state: Mapping[str, Any]) -> Snapshot:
    patch = {}
    known = {*graph.state_type.model_fields, *snapshot.state}
    is_open = graph.state_type.model_config.get("extra") == "allow"
    for key, value in state.items():
        if not isinstance(key, str):
            raise WorkflowRuntimeError(f"A key of the state must be text, not {key!r}.")
        if not is_open and key not in known:
            raise WorkflowRuntimeError(
                f"The state, a {graph.state_type.__name__}, has no {key!r}.{near(key, known)}"
            )
        patch[key] = graph.serializer.encode(value, f"state[{key!r}]")
    return snapshot.with_state({**snapshot.state, **patch})


# Another event in place of the one that the checkpoint's step has given


def _with_output(graph: Graph, checkpoint: Checkpoint, output_event: Event) -> Snapshot:
    old = checkpoint.given
    if old is None or (checkpoint.last_completed_step is None and checkpoint.taken is not None):
        raise WorkflowRuntimeError(
            "No event was given at this checkpoint: output_event has nothing to stand for."
        )
    _check_fits(graph, checkpoint, old, output_event)
    new = Sent(graph.serializer.seal(output_event), checkpoint.said_to)
    draft = Draft(graph.routes, checkpoint.snapshot)
    places = _places(graph.routes, checkpoint, old)
    if isinstance(places, Unclaimed):  # an unclaimed event no longer records its batch
        _check_fits_nowhere(graph.routes, new.event)
        draft.unclaimed[places.id] = None
        draft.send(new)
    else:
        taken_out = [draft.take_out(id_) for id_ in places]
        draft.send(new, taken_out[0])
        for delivery in taken_out:
            draft.leave(delivery.batch)
    return checkpoint.snapshot.after(draft.delta()).anew(time.time())


def _check_fits_nowhere(routes: Routes, new: SealedEvent) -> None:
    if routes[new.type].collectors:
        raise WorkflowRuntimeError(
            f"output_event is a {new.type}, which steps collect of a list; whether the event that "
            "it stands for was of one is not known any more. Rerun from an earlier checkpoint."
        )


def _check_fits(graph: Graph, checkpoint: Checkpoint, old: SealedEvent, new: Event) -> None:
    step = graph.steps.get(checkpoint.last_completed_step or "")
    kinds = [graph.event_type(old.type), *(step.signature.gives_alone if step else ())]
    fitting = [kind for kind in kinds if kind is not None and not issubclass(kind, StopEvent)]
    if type(new) not in fitting:
        names = ", ".join(dict.fromkeys(kind.__name__ for kind in fitting))
        who = "the caller" if step is None else f"step {step.name!r}"
        raise WorkflowRuntimeError(
            f"output_event is a {type(new).__name__}, which does not fit: at this checkpoint "
            f"{who} gives {names or 'nothing that a run goes on with'}."
        )


class Unclaimed(NamedTuple):
    """An event that no step has taken, under its id in the snapshot."""

    id: int


def _places(routes: Routes, checkpoint: Checkpoint, old: SealedEvent) -> list[int] | Unclaimed:
    """The places of the event that the checkpoint's step has given.

    The event went out last: of several equal events, the one with the highest ids is meant.

    Returns:
        The ids of the event's deliveries, one for each step that takes the event; or the unclaimed
        event.

    Raises:
        WorkflowRuntimeError: the event is not pending any more.
    """
    snapshot, first, route = checkpoint.snapshot, checkpoint.first_id, routes[old.type]
    ids = {
        delivery.step: delivery.id
        for delivery in snapshot.pending()
        if delivery.id >= first and delivery.event == old
    }
    in_batch = any(snapshot.deliveries[id_].batch for id_ in ids.values())
    is_gathered = bool(route.slots or (in_batch and route.collectors))
    if not checkpoint.has_answered(old) and not is_gathered:
        unclaimed = [i for i, event in snapshot.unclaimed.items() if i >= first and event == old]
        takers = route.steps if checkpoint.said_to is None else (checkpoint.said_to,)
        if takers and ids.keys() == set(takers):
            return sorted(ids.values())
        if unclaimed and not takers:
            return Unclaimed(max(unclaimed))
    raise WorkflowRuntimeError(
        f"The {old.type} of this checkpoint cannot be replaced any more: it was collected with "
        "others, or has answered a step that waits. Rerun from an earlier checkpoint."
    )
