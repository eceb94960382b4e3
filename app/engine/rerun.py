"""Rerun: how a new run begins at a checkpoint, as it was or with something changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from app.engine.advance import advance
from app.engine.checkpoint import Checkpoint
from app.engine.draft import Draft
from app.engine.errors import WorkflowRuntimeError
from app.engine.events import Event, StopEvent
from app.engine.facts import Abandoned, Completed, Fact, Sent, Waiting
from app.engine.graph import Graph
from app.engine.ids import new_number
from app.engine.journal import Head, Record, record
from app.engine.serialization import SealedEvent
from app.engine.snapshot import Buffered, Edit, Snapshot

InFlight = Literal["rerun", "adopt", "drop"]
"""What becomes of the steps that were under way at the checkpoint: they are executed again, have
the result that they had in the run itself, or are left out."""


class Beginning(NamedTuple):
    """What a rerun begins with, and the facts that come before all else."""

    snapshot: Snapshot
    facts: Sequence[Fact] = ()


def beginning(
    graph: Graph,
    checkpoint: Checkpoint,
    in_flight: InFlight = "rerun",
    output_event: Event | None = None,
    state: Mapping[str, Any] | None = None,
) -> Beginning:
    """How a rerun of the checkpoint begins; see `Workflow.run_from`.

    Raises:
        WorkflowRuntimeError: there is nothing to run, or what is to be changed does not fit.
    """
    snapshot = checkpoint.snapshot
    if snapshot.stopped is not None:
        raise WorkflowRuntimeError(
            "The run had ended at this checkpoint: nothing is left to run from there. "
            "Take an earlier one."
        )
    if in_flight == "rerun":
        facts: list[Fact] = []
    elif in_flight == "drop":
        facts = [Abandoned(id_) for id_ in _in_flight(checkpoint)]
    elif in_flight == "adopt":
        facts = _adopted(checkpoint)
    else:
        raise WorkflowRuntimeError(
            f"in_flight must be 'rerun', 'adopt' or 'drop', not {in_flight!r}."
        )
    if output_event is not None:
        snapshot = _with_output(graph, checkpoint, output_event)
    if state is not None:
        encode = graph.serializer.encode
        patch = {key: encode(value, f"state[{key!r}]") for key, value in state.items()}
        snapshot = snapshot.with_state({**snapshot.state, **patch})
    return Beginning(snapshot, facts)


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


def _in_flight(checkpoint: Checkpoint) -> list[int]:
    """What was pending before the checkpoint's own fact, and still is."""
    return [d.id for d in checkpoint.snapshot.pending() if d.id < checkpoint.first_id]


# Other data


def _with_output(graph: Graph, checkpoint: Checkpoint, output_event: Event) -> Snapshot:
    """The snapshot with another event in place of the one that the checkpoint's step has given."""
    old = checkpoint.output_event
    if old is None:
        raise WorkflowRuntimeError(
            "No event was given at this checkpoint: output_event has nothing to stand for."
        )
    _check_fits(graph, checkpoint, old, output_event)
    draft = Draft(graph.routes, checkpoint.snapshot)
    new = Sent(graph.serializer.seal(output_event))
    places = _places(graph, checkpoint, graph.serializer.seal(old))
    if isinstance(places, str):
        draft.unclaimed[int(places)] = None
        draft.send(new)
    else:
        taken_out = [draft.take_out(id_) for id_ in places]
        draft.send(new, taken_out[0])
        for delivery in taken_out:
            draft.leave(delivery.batch)
    return checkpoint.snapshot.after(draft.delta())


def _check_fits(graph: Graph, checkpoint: Checkpoint, old: Event, new: Event) -> None:
    step = graph.steps.get(checkpoint.last_completed_step or "")
    fitting = (type(old),) if step is None else step.signature.gives_alone
    fitting = tuple(kind for kind in fitting if not issubclass(kind, StopEvent))
    if type(new) not in fitting:
        names = ", ".join(kind.__name__ for kind in fitting) or "nothing that a run goes on with"
        who = "it" if step is None else f"step {step.name!r}"
        raise WorkflowRuntimeError(
            f"output_event is a {type(new).__name__}, which does not fit: at this checkpoint "
            f"{who} gives {names}."
        )


def _places(graph: Graph, checkpoint: Checkpoint, old: SealedEvent) -> list[int] | str:
    """The deliveries of the event, one for each step that takes it; or, as text, the id under which
    it waits for somebody to want it.

    It went out last: of several equal events, it is the one with the highest ids.
    """
    snapshot, takers = checkpoint.snapshot, graph.routes[old.type].steps
    ids = {
        delivery.step: delivery.id
        for delivery in snapshot.pending()
        if delivery.id >= checkpoint.first_id and delivery.event == old
    }
    has_answered = any(wait.answer == old for wait in snapshot.waits.values())
    if takers and ids.keys() == set(takers) and not has_answered:
        return sorted(ids.values())
    unclaimed = [id_ for id_, event in snapshot.unclaimed.items() if event == old]
    if unclaimed and not takers:
        return str(max(unclaimed))
    raise WorkflowRuntimeError(
        f"The {old.type} of this checkpoint cannot be replaced any more: it was collected with "
        "others, or has answered a step that waits. Rerun from an earlier checkpoint."
    )


# What was under way


def _adopted(checkpoint: Checkpoint) -> list[Fact]:
    """What the deliveries in flight came to in the run itself; those that came to nothing there,
    or that had collected what a rerun does not have, are left to be executed."""
    later = checkpoint.later()
    if later is None:
        raise WorkflowRuntimeError(
            "in_flight='adopt' needs what the run did later: take the checkpoint from its context "
            "(handler.ctx.checkpoints), not from JSON."
        )
    ids = set(_in_flight(checkpoint))
    ends = [
        e.fact
        for e in later
        if isinstance(e.fact, (Completed, Abandoned)) and e.fact.delivery in ids
    ]
    entries: dict[str, Buffered] = {}
    for entry in later:
        if isinstance(entry.fact, (Completed, Abandoned, Waiting)):
            entries |= {k: b for k, b in entry.fact.buffers.put.items() if b.delivery in ids}
    adopted: list[Completed | Abandoned] = []
    known = {**checkpoint.snapshot.buffers, **entries}
    for end in ends:
        if all(key in known for key in end.buffers.drop):
            adopted.append(end)
    gone = {key for end in adopted for key in end.buffers.drop}
    return [_alone(end, checkpoint.snapshot, later, entries, gone) for end in adopted]


def _alone(
    end: Completed | Abandoned,
    snapshot: Snapshot,
    later: Sequence[Record],
    entries: Mapping[str, Buffered],
    gone: set[str],
) -> Fact:
    """The fact with all that its own delivery did since the checkpoint, and nothing of others."""
    put = {
        key: entry._replace(taken_by="")
        for key, entry in entries.items()
        if entry.delivery == end.delivery and key not in gone
    }
    calls = tuple(key for key in snapshot.calls if int(key.split(":")[0]) == end.delivery)
    end = end._replace(buffers=Edit(put, end.buffers.drop), calls=Edit(drop=calls))
    if isinstance(end, Abandoned):
        return end
    waits = (e.fact for e in later if isinstance(e.fact, Waiting))
    before = [sent for w in waits if w.wait.delivery == end.delivery for sent in w.sent]
    return end._replace(sent=(*before, *end.sent))
