"""Facts as JSON, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from cairn.engine.core.delta_json import (
    Pack,
    Read,
    Write,
    read_buffered,
    read_wait,
    write_buffered,
    write_wait,
)
from cairn.engine.core.facts import Caught, Completed, Fact, Received, Sent, TimedOut, Waiting
from cairn.engine.core.snapshot import NOTHING, Buffered, Edit
from cairn.engine.values.extended_json import Json
from cairn.engine.values.merging import ABSENT, UNREAD, Change
from cairn.engine.values.sealed import SealedEvent

Calls = Edit[str, tuple[str, ...]]


def to_json(fact: Fact, pack: Pack, event: Write) -> Json:
    """The fact as one JSON object, with its kind under "fact".

    Args:
        fact: the fact.
        pack: turns each value of the state into JSON, or into a reference if the value is large.
        event: turns each event into JSON, or into a reference.
    """
    match fact:
        case Received(sent, kept):
            return {"fact": "received", "sent": _sent([sent], event), "kept": kept}
        case Completed(delivery, sent, output, changes, buffers, calls):
            return {
                "fact": "completed",
                "delivery": delivery,
                "sent": _sent(sent, event),
                "output": None if output is None else event(output),
                "changes": None if changes is None else _changes(changes, pack),
            } | _collected(buffers, calls, event)
        case Waiting(wait, sent, buffers, calls):
            written = {
                "fact": "waiting",
                "wait": write_wait(wait, event),
                "sent": _sent(sent, event),
            }
            return written | _collected(buffers, calls, event)
        case TimedOut(delivery, key):
            return {"fact": "timed_out", "delivery": delivery, "wait": key}
        case Caught(delivery, failure, handler, buffers, calls):
            written = {
                "fact": "caught",
                "delivery": delivery,
                "failure": event(failure),
                "handler": handler,
            }
            return written | _collected(buffers, calls, event)


def from_json(written: Json, unpack: Pack) -> Fact:
    """The reverse of `to_json`.

    Args:
        written: the JSON.
        unpack: the reverse of `pack`, and of `event` up to the event's JSON.

    Raises:
        ValueError: the JSON is of no kind of fact.
    """

    def event(packed: Any) -> SealedEvent:
        return SealedEvent.from_json(unpack(packed))

    sent = tuple(Sent(event(each), step) for each, step in written.get("sent", ()))
    match written["fact"]:
        case "received":
            return Received(sent[0], written["kept"])
        case "completed":
            output, changes = written["output"], written["changes"]
            return Completed(
                written["delivery"],
                sent,
                None if output is None else event(output),
                None if changes is None else _read_changes(changes, unpack),
                *_read_collected(written, event),
            )
        case "waiting":
            wait = read_wait(written["wait"], event)
            return Waiting(wait, sent, *_read_collected(written, event))
        case "timed_out":
            return TimedOut(written["delivery"], written["wait"])
        case "caught":
            failure, collected = event(written["failure"]), _read_collected(written, event)
            return Caught(written["delivery"], failure, written["handler"], *collected)
    raise ValueError(f"There is no kind of fact {written['fact']!r}.")


def _sent(sent: Sequence[Sent], event: Write) -> Json:
    return [[event(each.event), each.step] for each in sent]


def _changes(changes: Mapping[str, Sequence[Change]], pack: Pack) -> Json:
    """The changes by key; of each, the values that are not absent."""
    return {key: [_change(each, pack) for each in made] for key, made in changes.items()}


def _change(change: Change, pack: Pack) -> Json:
    named = zip(Change._fields, change, strict=True)
    written = {name: pack(v) for name, v in named if v is not ABSENT and v is not UNREAD}
    return written | {"unread": True} if change.base is UNREAD else written


def _read_changes(written: Json, unpack: Pack) -> dict[str, list[Change]]:
    def change(each: Json) -> Change:
        values = [unpack(each[name]) if name in each else ABSENT for name in Change._fields]
        return Change(UNREAD if each.get("unread") else values[0], *values[1:])

    return {key: [change(each) for each in made] for key, made in written.items()}


def _collected(buffers: Edit[str, Buffered], calls: Calls, event: Write) -> dict[str, Json]:
    written: dict[str, Json] = {}
    if buffers is not NOTHING:
        put = [[key, write_buffered(entry, event)] for key, entry in buffers.put.items()]
        written |= {"buffers": put, "-buffers": list(buffers.drop)}
    if calls is not NOTHING:
        taken = [[key, list(keys)] for key, keys in calls.put.items()]
        written |= {"calls": taken, "-calls": list(calls.drop)}
    return written


def _read_collected(written: Json, event: Read) -> tuple[Edit[str, Buffered], Calls]:
    buffers, calls = NOTHING, NOTHING
    if "buffers" in written:
        put = {key: read_buffered(entry, event) for key, entry in written["buffers"]}
        buffers = Edit(put, tuple(written["-buffers"]))
    if "calls" in written:
        taken = {key: tuple(keys) for key, keys in written["calls"]}
        calls = Edit(taken, tuple(written["-calls"]))
    return buffers, calls
