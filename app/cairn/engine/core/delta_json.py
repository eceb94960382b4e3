"""Deltas as JSON, and back."""

from collections.abc import Callable, Sequence
from typing import Any

from cairn.engine.core.snapshot import (
    NOTHING,
    Batch,
    Buffered,
    Delivery,
    Delta,
    Edit,
    Gathered,
    Queue,
    Wait,
)
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import SealedEvent

Write = Callable[[SealedEvent], Any]
Read = Callable[[Any], SealedEvent]
Pack = Callable[[Json], Any]


def _as_is(part: Json) -> Json:
    return part


def to_json(
    delta: Delta,
    pack: Pack = _as_is,
    event: Write = SealedEvent.to_json,
) -> Json:
    """The delta as one JSON object; parts without a change are left out.

    Args:
        delta: the delta.
        pack: turns each value of the state into JSON, or into a reference if the value is large.
        event: turns each event into JSON, or into a reference.
    """
    parts: dict[str, Json] = {"next_id": delta.next_id}
    edits: Sequence[Any] = delta[: len(WRITERS)]
    for (name, write), edit in zip(WRITERS, edits, strict=True):
        if edit is NOTHING:
            continue
        if edit.put:
            # JSON's keys are text, and some ids are numbers: pairs keep both.
            parts[name] = [[key, write(value, event, pack)] for key, value in edit.put.items()]
        if edit.drop:
            parts[f"-{name}"] = list(edit.drop)
    if delta.stopped is not None:
        parts["stopped"] = event(delta.stopped)
    return parts


def from_json(parts: Json, unpack: Callable[[Any], Json] = _as_is) -> Delta:
    """The reverse of `to_json`."""

    def event(written: Any) -> SealedEvent:
        return SealedEvent.from_json(unpack(written))

    def edit(name: str, read: Callable[[Any], Any]) -> Edit[Any, Any]:
        put = {key: read(value) for key, value in parts.get(name, ())}
        dropped = tuple(parts.get(f"-{name}", ()))
        return Edit(put, dropped) if put or dropped else NOTHING

    return Delta(
        edit("deliveries", lambda it: _read_delivery(it, event)),
        edit("waits", lambda it: read_wait(it, event)),
        edit("buffers", lambda it: read_buffered(it, event)),
        edit("calls", tuple),
        edit("unclaimed", event),
        edit("batches", lambda it: Batch(**it)),
        edit("queues", lambda it: Queue(**it)),
        edit("gathered", lambda it: _read_gathered(it, event)),
        edit("state", unpack),
        parts["next_id"],
        event(parts["stopped"]) if "stopped" in parts else None,
    )


def _write_delivery(delivery: Delivery, event: Write, _: Pack) -> Json:
    written = {"id": delivery.id, "step": delivery.step, "event": event(delivery.event)}
    if delivery.sent:
        written["sent"] = delivery.sent
    if delivery.waiters:
        written["waiters"] = list(delivery.waiters)
    if delivery.batch:
        written["batch"], written["member"] = delivery.batch, delivery.member
    if delivery.caught:
        written["caught"] = dict(delivery.caught)
    return written


def _read_delivery(written: Json, event: Read) -> Delivery:
    return Delivery(
        written["id"],
        written["step"],
        event(written["event"]),
        written.get("sent", 0),
        tuple(written.get("waiters", ())),
        written.get("batch", 0),
        written.get("member", 0),
        written.get("caught", {}),
    )


def write_wait(wait: Wait, event: Write, _: Pack = _as_is) -> Json:
    """The wait as JSON."""
    written = {
        "delivery": wait.delivery,
        "waiter": wait.waiter,
        "type": wait.type,
        "requirements": dict(wait.requirements),
        "timeout": wait.timeout,
        "answered": wait.answered,
        "asked": None if wait.asked is None else event(wait.asked),
        "answer": None if wait.answer is None else event(wait.answer),
        "over": wait.over,
    }
    if wait.since is not None:
        written["since"] = wait.since
    return written


def read_wait(written: Json, event: Read) -> Wait:
    """The reverse of `write_wait`."""
    return Wait(
        written["delivery"],
        written["waiter"],
        written["type"],
        written["requirements"],
        written["timeout"],
        None if written["asked"] is None else event(written["asked"]),
        written["answered"],
        None if written["answer"] is None else event(written["answer"]),
        written.get("over", False),
        written.get("since"),
    )


def write_buffered(entry: Buffered, event: Write, _: Pack = _as_is) -> Json:
    """The entry as JSON."""
    return {
        "delivery": entry.delivery,
        "step": entry.step,
        "buffer": entry.buffer,
        "call": entry.call,
        "event": event(entry.event),
        "taken_by": entry.taken_by,
    }


def read_buffered(written: Json, event: Read) -> Buffered:
    """The reverse of `write_buffered`."""
    return Buffered(
        written["delivery"],
        written["step"],
        written["buffer"],
        written["call"],
        event(written["event"]),
        written["taken_by"],
    )


def _write_gathered(entry: Gathered, event: Write, _: Pack) -> Json:
    return {"event": event(entry.event), "member": entry.member, "caught": dict(entry.caught)}


def _read_gathered(written: Json, event: Read) -> Gathered:
    return Gathered(event(written["event"]), written["member"], written["caught"])


WRITERS: tuple[tuple[str, Callable[[Any, Write, Pack], Any]], ...] = (
    ("deliveries", _write_delivery),
    ("waits", write_wait),
    ("buffers", write_buffered),
    ("calls", lambda it, _, __: list(it)),
    ("unclaimed", lambda it, event, _: event(it)),
    ("batches", lambda it, _, __: it._asdict()),
    ("queues", lambda it, _, __: it._asdict()),
    ("gathered", _write_gathered),
    ("state", lambda it, _, pack: pack(it)),
)
"""The function that writes each edit of a delta, in the order of the delta's fields."""
