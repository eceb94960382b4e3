"""Snapshot: all that a run needs to continue, and Delta: what one fact changes of it.

Named tuples: each step makes a dozen of them, and they are made three times as fast as frozen
dataclasses.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from immutables import Map

from app.engine.serialization import Json, SealedEvent

K = TypeVar("K")
V = TypeVar("V")


class Delivery(NamedTuple):
    """One event on its way to one step; pending until the step has completed.

    `sent` counts the events that went out when the step began to wait: should it be started
    again, they are not sent again. `waiters` names the waits it has begun.
    """

    id: int
    step: str
    event: SealedEvent
    sent: int = 0
    waiters: tuple[str, ...] = ()


class Wait(NamedTuple):
    """A step, in the middle of a delivery, waits for an event of a type that meets the
    requirements; `answer` is that event, once it is there. `timeout` is in seconds."""

    delivery: int
    waiter: str
    type: str
    requirements: Mapping[str, Json]
    timeout: float | None = None
    answer: SealedEvent | None = None

    @property
    def key(self) -> str:
        """What tells it from every other wait of the run."""
        return f"{self.delivery}:{self.waiter}"

    def wants(self, event: SealedEvent) -> bool:
        """Whether this is the event it waits for."""
        return (
            self.answer is None
            and event.type == self.type
            and all(event.data.get(name) == value for name, value in self.requirements.items())
        )


class Buffered(NamedTuple):
    """An event put by for `collect_events`.

    `taken` marks one that a completed step has collected while the step that had put it by is
    still pending: should that one be started again, it must not put its event by again.
    """

    delivery: int
    step: str
    buffer: str
    event: SealedEvent
    taken: bool = False


class Edit(NamedTuple, Generic[K, V]):
    """What is put into a mapping, and what is dropped from it."""

    put: Mapping[K, V] = MappingProxyType({})
    drop: tuple[K, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.put or self.drop)

    def apply(self, mapping: "Map[K, V]") -> "Map[K, V]":
        """The mapping after this edit."""
        for key in self.drop:
            if key in mapping:
                mapping = mapping.delete(key)
        for key, value in self.put.items():
            mapping = mapping.set(key, value)
        return mapping


NOTHING: Edit[Any, Any] = Edit()
"""Nothing is put, and nothing dropped."""


class Delta(NamedTuple):
    """How a snapshot differs from the one before it."""

    deliveries: Edit[int, Delivery]
    waits: Edit[str, Wait]
    buffers: Edit[str, Buffered]
    unclaimed: Edit[int, SealedEvent]
    state: Edit[str, Json]
    next_id: int
    stopped: SealedEvent | None


class Snapshot(NamedTuple):
    """All that a run needs to continue. Never changed: `after` makes the next one, sharing what
    stays the same.

    Attributes:
        deliveries: what is pending, by id; ids count up in the order of sending.
        waits: what steps in the middle of a delivery wait for, or have been answered.
        buffers: what `collect_events` has put by.
        unclaimed: events that no step takes and no step waited for when they came.
        state: the state of the context, as JSON; what completed steps have written.
        next_id: the id of the next delivery.
        stopped: the StopEvent, once there is one.
    """

    deliveries: "Map[int, Delivery]" = Map()
    waits: "Map[str, Wait]" = Map()
    buffers: "Map[str, Buffered]" = Map()
    unclaimed: "Map[int, SealedEvent]" = Map()
    state: "Map[str, Json]" = Map()
    next_id: int = 1
    stopped: SealedEvent | None = None

    @property
    def can_continue(self) -> bool:
        """Whether anything is left to do: a delivery is pending, and the run has not stopped."""
        return self.stopped is None and bool(self.deliveries)

    def pending(self) -> list[Delivery]:
        """The pending deliveries in the order they were sent."""
        return [delivery for _, delivery in sorted(self.deliveries.items())]

    def with_state(self, state: Mapping[str, Json]) -> "Snapshot":
        """This snapshot with another state."""
        return self._replace(state=Map(state))

    def after(self, delta: Delta) -> "Snapshot":
        """This snapshot with the delta applied."""
        return Snapshot(
            delta.deliveries.apply(self.deliveries) if delta.deliveries else self.deliveries,
            delta.waits.apply(self.waits) if delta.waits else self.waits,
            delta.buffers.apply(self.buffers) if delta.buffers else self.buffers,
            delta.unclaimed.apply(self.unclaimed) if delta.unclaimed else self.unclaimed,
            delta.state.apply(self.state) if delta.state else self.state,
            delta.next_id,
            delta.stopped,
        )


def whole(snapshot: Snapshot) -> Delta:
    """The snapshot as a delta from nothing."""
    return Delta(
        Edit(snapshot.deliveries),
        Edit(snapshot.waits),
        Edit(snapshot.buffers),
        Edit(snapshot.unclaimed),
        Edit(snapshot.state),
        snapshot.next_id,
        snapshot.stopped,
    )


def _as_is(part: Json) -> Json:
    return part


def to_json(delta: Delta, pack: Callable[[Json], Any] = _as_is) -> Json:
    """The delta as one JSON object; parts in which nothing changed are left out.

    Args:
        pack: what becomes of each event and each value of the state, which may be large.
    """

    def event(sealed: SealedEvent) -> Any:
        return pack(sealed.to_json())

    writers: list[tuple[str, Edit[Any, Any], Callable[[Any], Any]]] = [
        ("deliveries", delta.deliveries, lambda it: _write_delivery(it, event)),
        ("waits", delta.waits, lambda it: _write_wait(it, event)),
        ("buffers", delta.buffers, lambda it: _write_buffered(it, event)),
        ("unclaimed", delta.unclaimed, event),
        ("state", delta.state, pack),
    ]
    parts: dict[str, Json] = {"next_id": delta.next_id}
    for name, edit, write in writers:
        if edit.put:
            # JSON's keys are text, and some ids are numbers: pairs keep both.
            parts[name] = [[key, write(value)] for key, value in edit.put.items()]
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
        return Edit(put, tuple(parts.get(f"-{name}", ())))

    return Delta(
        edit("deliveries", lambda it: _read_delivery(it, event)),
        edit("waits", lambda it: _read_wait(it, event)),
        edit("buffers", lambda it: _read_buffered(it, event)),
        edit("unclaimed", event),
        edit("state", unpack),
        parts["next_id"],
        event(parts["stopped"]) if "stopped" in parts else None,
    )


Write = Callable[[SealedEvent], Any]
Read = Callable[[Any], SealedEvent]


def _write_delivery(delivery: Delivery, event: Write) -> Json:
    written = {"id": delivery.id, "step": delivery.step, "event": event(delivery.event)}
    if delivery.sent:
        written["sent"] = delivery.sent
    if delivery.waiters:
        written["waiters"] = list(delivery.waiters)
    return written


def _read_delivery(written: Json, event: Read) -> Delivery:
    return Delivery(
        written["id"],
        written["step"],
        event(written["event"]),
        written.get("sent", 0),
        tuple(written.get("waiters", ())),
    )


def _write_wait(wait: Wait, event: Write) -> Json:
    return {
        "delivery": wait.delivery,
        "waiter": wait.waiter,
        "type": wait.type,
        "requirements": dict(wait.requirements),
        "timeout": wait.timeout,
        "answer": None if wait.answer is None else event(wait.answer),
    }


def _read_wait(written: Json, event: Read) -> Wait:
    return Wait(
        written["delivery"],
        written["waiter"],
        written["type"],
        written["requirements"],
        written["timeout"],
        None if written["answer"] is None else event(written["answer"]),
    )


def _write_buffered(entry: Buffered, event: Write) -> Json:
    return {
        "delivery": entry.delivery,
        "step": entry.step,
        "buffer": entry.buffer,
        "event": event(entry.event),
        "taken": entry.taken,
    }


def _read_buffered(written: Json, event: Read) -> Buffered:
    return Buffered(
        written["delivery"],
        written["step"],
        written["buffer"],
        event(written["event"]),
        written["taken"],
    )
