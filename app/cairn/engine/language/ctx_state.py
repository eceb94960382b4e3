"""A context's inside, under the names by which users of the language know it."""

from collections.abc import Iterable, Iterator, Sequence

from cairn.engine.core.snapshot import Delta, Snapshot
from cairn.engine.values.extended_json import Json, plain
from cairn.engine.values.sealed import SealedEvent

Trail = Sequence[tuple[str | None, str | None, Delta]]
"""Of the last `TRAIL` checkpoints up to this one: its step, the type of the step's event, and what
changed."""

TRAIL = 100
"""How far back a `ctx_state` looks: a checkpoint must not grow with the run's history."""

LOGGED = 200
"""How many characters of an event's field its log shows."""


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
