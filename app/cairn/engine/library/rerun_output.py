"""Another event in place of the one that the step of a checkpoint has given."""

import time
from typing import NamedTuple

from cairn.engine.core.draft import Draft
from cairn.engine.core.facts import Sent
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.language.events import Event, StopEvent
from cairn.engine.language.graph import Graph
from cairn.engine.library.rerun_source import RerunSource
from cairn.engine.values.sealed import SealedEvent


def with_output(graph: Graph, source: RerunSource, output_event: Event) -> Snapshot:
    """The snapshot of the checkpoint, with another event in place of the one that was given.

    Args:
        graph: the steps and events of the workflow.
        source: the checkpoint.
        output_event: the event that replaces the recorded one.

    Raises:
        WorkflowRuntimeError: no event was given, or the event does not fit or is not pending.
        SerializationError: the event cannot be stored.
    """
    old = source.given
    if old is None or (source.last_completed_step is None and source.taken is not None):
        raise WorkflowRuntimeError(
            "No event was given at this checkpoint: output_event has nothing to stand for."
        )
    _check_fits(graph, source, old, output_event)
    new = Sent(graph.serializer.seal(output_event), source.said_to)
    draft = Draft(graph.routes, source.snapshot)
    places = _places(graph.routes, source, old)
    if isinstance(places, Unclaimed):  # an unclaimed event no longer records its batch
        _check_fits_nowhere(graph.routes, new.event)
        draft.unclaimed[places.id] = None
        draft.send(new)
    else:
        taken_out = [draft.take_out(id_) for id_ in places]
        draft.send(new, taken_out[0])
        for delivery in taken_out:
            draft.leave(delivery.batch)
    return source.snapshot.after(draft.delta()).anew(time.time())


def _check_fits_nowhere(routes: Routes, new: SealedEvent) -> None:
    if routes[new.type].collectors:
        raise WorkflowRuntimeError(
            f"output_event is a {new.type}, which steps collect of a list; whether the event that "
            "it stands for was of one is not known any more. Rerun from an earlier source."
        )


def _check_fits(graph: Graph, source: RerunSource, old: SealedEvent, new: Event) -> None:
    step = graph.steps.get(source.last_completed_step or "")
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


def _places(routes: Routes, source: RerunSource, old: SealedEvent) -> list[int] | Unclaimed:
    """The places of the event that the checkpoint's step has given.

    The event went out last: of several equal events, the one with the highest ids is meant.

    Returns:
        The ids of the event's deliveries, one for each step that takes the event; or the unclaimed
        event.

    Raises:
        WorkflowRuntimeError: the event is not pending any more.
    """
    snapshot, first, route = source.snapshot, source.first_id, routes[old.type]
    ids = {
        delivery.step: delivery.id
        for delivery in snapshot.pending()
        if delivery.id >= first and delivery.event == old
    }
    in_batch = any(snapshot.deliveries[id_].batch for id_ in ids.values())
    is_gathered = bool(route.slots or (in_batch and route.collectors))
    if not source.has_answered(old) and not is_gathered:
        unclaimed = [i for i, event in snapshot.unclaimed.items() if i >= first and event == old]
        takers = route.steps if source.said_to is None else (source.said_to,)
        if takers and ids.keys() == set(takers):
            return sorted(ids.values())
        if unclaimed and not takers:
            return Unclaimed(max(unclaimed))
    raise WorkflowRuntimeError(
        f"The {old.type} of this checkpoint cannot be replaced any more: it was collected with "
        "others, or has answered a step that waits. Rerun from an earlier source."
    )
