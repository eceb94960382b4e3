"""The `ctx_state` of a checkpoint: a context's content, under the names of LlamaIndex Workflows."""

from collections.abc import Iterable, Iterator, Sequence

from cairn.engine.core.snapshot import Delta, Snapshot
from cairn.engine.values.extended_json import Json, plain
from cairn.engine.values.sealed import SealedEvent

Trail = Sequence[tuple[str | None, str | None, Delta]]
"""The last `TRAIL` checkpoints up to a given one, each as the step that completed, the type of the
step's event, and the delta."""

TRAIL = 100
"""Checkpoints that a `ctx_state` looks back on: its size must not grow with the run's history."""

LOGGED = 200
"""Characters that the `broker_log` shows of an event's field."""


def ctx_state(steps: Iterable[str], snapshot: Snapshot, trail: Trail) -> dict[str, Json]:
    """Return the content of a context at a checkpoint, as JSON for readers.

    The names and shapes are those of a context's dict in LlamaIndex Workflows: `globals` is the
    state, `queues` lists the pending events by step, `events_buffer` the events buffered by
    `collect_events`, `broker_log` the events sent so far, `accepted_events` pairs of a step and the
    type of the event taken. The last two go back as far as the trail.

    Args:
        steps: the names of the workflow's steps.
        snapshot: the snapshot of the checkpoint.
        trail: the checkpoints up to this one.
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
        "streaming_queue": [],  # shown events go out at once
        "queues": queues,
        "stepwise": False,
        "events_buffer": buffers,
        "accepted_events": [[step, taken] for step, taken, _ in trail if step],
        "broker_log": [_abbreviated(shown(event)) for event in _sent_events(trail)],
        "is_running": snapshot.stopped is None,
    }


def shown(event: SealedEvent) -> Json:
    """Return the event as readers see events: the type's name, and the fields as ordinary JSON."""
    return {"type": event.type, "data": {name: plain(value) for name, value in event.data.items()}}


def _abbreviated(event: Json) -> Json:
    """Return the event with long fields cut, since the log holds many events."""
    for name, value in event["data"].items():
        if isinstance(value, str) and len(value) > LOGGED:
            event["data"][name] = f"{value[:LOGGED]}…"
        elif isinstance(value, (dict, list)) and len(str(value)) > LOGGED:
            event["data"][name] = "…"
    return event


def _sent_events(trail: Trail) -> Iterator[SealedEvent]:
    known: set[int] = set()  # a delivery is put a second time when its step begins to wait
    for _, _, delta in trail:
        deliveries = delta.deliveries.put
        sent = {id_: d.event for id_, d in deliveries.items()} | dict(delta.unclaimed.put)
        before: SealedEvent | None = None
        steps: set[str] = set()
        for id_ in sorted(sent.keys() - known):
            step = deliveries[id_].step if id_ in deliveries else ""
            # Equal events in a row are one event on its way to several steps. A step that comes
            # up again marks a second event.
            if sent[id_] != before or step in steps:
                before, steps = sent[id_], set()
                yield before
            steps.add(step)
        known |= sent.keys()
        if delta.stopped is not None:
            yield delta.stopped
