"""Snapshot: all that a run needs to continue, and Delta: what one fact changes of it.

Named tuples: each step makes a dozen of them, and they are made three times as fast as frozen
dataclasses.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, TypeVar

from immutables import Map

from cairn.engine.core.keys import call_key, wait_key, with_step_renamed
from cairn.engine.values.extended_json import Json
from cairn.engine.values.merging import ABSENT, same
from cairn.engine.values.sealed import SealedEvent

K = TypeVar("K")
V = TypeVar("V")


class Delivery(NamedTuple):
    """One event on its way to one step; pending until the step has completed.

    `sent` counts the events that went out when the step began to wait: should it be started
    again, they are not sent again. `waiters` names the waits it has begun. `batch` is the batch
    it belongs to, 0 for none, and `member` tells which of its events it comes from. `caught`
    counts, by handler, the failures on the way to it that a `@catch_error` step has caught.
    """

    id: int
    step: str
    event: SealedEvent
    sent: int = 0
    waiters: tuple[str, ...] = ()
    batch: int = 0
    member: int = 0
    caught: Mapping[str, int] = MappingProxyType({})


class Wait(NamedTuple):
    """A step, in the middle of a delivery, waits for an event of a type that meets the
    requirements; `answer` is that event, once it is there. `asked` is the question that
    goes to whoever watches the run; `timeout` is in seconds.
    `answered` counts the delivery's waits that were settled when this one began; `over` says that
    its time was up. `since` is when it began, in seconds since 1970 (UTC): its time goes on while
    no process drives the run."""

    delivery: int
    waiter: str
    type: str
    requirements: Mapping[str, Json]
    timeout: float | None = None
    asked: SealedEvent | None = None
    answered: int = 0
    answer: SealedEvent | None = None
    over: bool = False
    since: float | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it has its answer, or its time was up."""
        return self.answer is not None or self.over

    @property
    def key(self) -> str:
        """What tells it from every other wait of the run."""
        return wait_key(self.delivery, self.waiter)

    def wants(self, event: SealedEvent) -> bool:
        """Whether this is the event it waits for."""
        return (
            not self.is_settled
            and event.type == self.type
            and all(
                same(event.data.get(name, ABSENT), value)
                for name, value in self.requirements.items()
            )
        )


class Buffered(NamedTuple):
    """An event that a delivery, at its `call` of `collect_events`, has put by; `taken_by` is the
    key of the call that has collected it, until that call's step has completed."""

    delivery: int
    step: str
    buffer: str
    call: int
    event: SealedEvent
    taken_by: str = ""

    @property
    def key(self) -> str:
        """What tells the entry, and the call, from every other of the run."""
        return call_key(self.delivery, self.call, self.buffer)


class Batch(NamedTuple):
    """The events that a step has returned as one list, and all that is returned for them in turn.
    It is open while anything of it is pending; `within` and `member` place it in the batch
    around it.

    `pending` counts its deliveries, and the batches open within it.
    """

    id: int
    step: str
    within: int
    member: int
    pending: int


class Queue(NamedTuple):
    """Events that one parameter of a step has gathered, within one batch or outside of all: those
    numbered from `first` up to `next`. One that is `closed` gathers no more."""

    first: int = 0
    next: int = 0
    closed: bool = False


class Gathered(NamedTuple):
    """An event in such a queue; `member` and `caught` are as in Delivery."""

    event: SealedEvent
    member: int
    caught: Mapping[str, int]


class Edit(NamedTuple, Generic[K, V]):
    """What is put into a mapping, and what is dropped from it."""

    put: Mapping[K, V] = MappingProxyType({})
    drop: tuple[K, ...] = ()

    @classmethod
    def of(cls, changed: Mapping[K, V | None]) -> "Edit[K, V]":
        """What has changed, as an edit; `None` drops. Where nothing has, take `NOTHING`."""
        put = {key: value for key, value in changed.items() if value is not None}
        if len(put) == len(changed):
            return cls(put)
        return cls(put, tuple([key for key, value in changed.items() if value is None]))

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
    calls: Edit[str, tuple[str, ...]]
    unclaimed: Edit[int, SealedEvent]
    batches: Edit[int, Batch]
    queues: Edit[str, Queue]
    gathered: Edit[str, Gathered]
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
        calls: what its calls by pending deliveries have given: the keys of the entries they took.
        unclaimed: events that no step takes and no step waited for when they came.
        batches: the lists of events that are still being worked on, by id.
        queues: what steps with several event parameters, or one for a list, have gathered.
        gathered: the events in these queues.
        state: the state of the context, as JSON; what completed steps have written.
        next_id: the id of the next delivery.
        stopped: the StopEvent, once there is one.
    """

    deliveries: "Map[int, Delivery]" = Map()
    waits: "Map[str, Wait]" = Map()
    buffers: "Map[str, Buffered]" = Map()
    calls: "Map[str, tuple[str, ...]]" = Map()
    unclaimed: "Map[int, SealedEvent]" = Map()
    batches: "Map[int, Batch]" = Map()
    queues: "Map[str, Queue]" = Map()
    gathered: "Map[str, Gathered]" = Map()
    state: "Map[str, Json]" = Map()
    next_id: int = 1
    stopped: SealedEvent | None = None

    def pending(self) -> list[Delivery]:
        """The pending deliveries in the order they were sent."""
        return [delivery for _, delivery in sorted(self.deliveries.items())]

    @property
    def is_busy(self) -> bool:
        """Whether a delivery is pending whose step does not wait: it is in the pause before its
        next attempt, say, and goes on by itself."""
        return any(
            all(self.waits[wait_key(delivery.id, it)].is_settled for it in delivery.waiters)
            for delivery in self.deliveries.values()
        )

    def parked_at(self, delivery: Delivery) -> Wait | None:
        """What the delivery's step waits for, on its way through: it need not be started before
        that comes. A wait that ends in time goes on in the step, and a step that has had its
        answer, or its time is up, was past it."""
        if not delivery.waiters:
            return None
        waits = [self.waits[wait_key(delivery.id, waiter)] for waiter in delivery.waiters]
        newest = waits[-1]
        answered = sum(wait.is_settled for wait in waits)
        is_parked = answered == newest.answered and newest.timeout is None
        return newest if is_parked else None

    def renamed(self, names: Mapping[str, str]) -> "Snapshot":
        """This snapshot with steps called otherwise; this very one where it names none of them."""
        if not names:
            return self

        changed = self._replace(
            deliveries=Map(
                {k: _caught(_called(d, names), names) for k, d in self.deliveries.items()}
            ),
            buffers=Map({k: _called(b, names) for k, b in self.buffers.items()}),
            batches=Map({k: _called(b, names) for k, b in self.batches.items()}),
            queues=Map({with_step_renamed(k, names): q for k, q in self.queues.items()}),
            gathered=Map(
                {with_step_renamed(k, names): _caught(g, names) for k, g in self.gathered.items()}
            ),
        )
        return self if changed == self else changed

    def anew(self, now: float) -> "Snapshot":
        """This snapshot for a run that begins now, with all the time for what is waited for."""
        waits = self.waits
        for key, wait in waits.items():
            if wait.since is not None and not wait.is_settled:
                waits = waits.set(key, wait._replace(since=now))
        return self if waits is self.waits else self._replace(waits=waits)

    def with_state(self, state: Mapping[str, Json]) -> "Snapshot":
        """This snapshot with another state."""
        return self._replace(state=Map(state))

    def after(self, delta: Delta) -> "Snapshot":
        """This snapshot with the delta applied."""
        d = delta  # spelled out: each step makes one
        return Snapshot(
            self.deliveries if d.deliveries is NOTHING else d.deliveries.apply(self.deliveries),
            self.waits if d.waits is NOTHING else d.waits.apply(self.waits),
            self.buffers if d.buffers is NOTHING else d.buffers.apply(self.buffers),
            self.calls if d.calls is NOTHING else d.calls.apply(self.calls),
            self.unclaimed if d.unclaimed is NOTHING else d.unclaimed.apply(self.unclaimed),
            self.batches if d.batches is NOTHING else d.batches.apply(self.batches),
            self.queues if d.queues is NOTHING else d.queues.apply(self.queues),
            self.gathered if d.gathered is NOTHING else d.gathered.apply(self.gathered),
            self.state if d.state is NOTHING else d.state.apply(self.state),
            d.next_id,
            d.stopped,
        )


def _called(part: Any, names: Mapping[str, str]) -> Any:
    """A part of a snapshot with its step called as it is now."""
    step = names.get(part.step)
    return part if step is None else part._replace(step=step)


def _caught(part: Any, names: Mapping[str, str]) -> Any:
    """A part of a snapshot with the steps that have caught failures called as they are now."""
    if not part.caught:
        return part
    return part._replace(caught={names.get(name, name): n for name, n in part.caught.items()})


def whole(snapshot: Snapshot) -> Delta:
    """The snapshot as a delta from nothing."""
    return Delta(
        Edit(snapshot.deliveries),
        Edit(snapshot.waits),
        Edit(snapshot.buffers),
        Edit(snapshot.calls),
        Edit(snapshot.unclaimed),
        Edit(snapshot.batches),
        Edit(snapshot.queues),
        Edit(snapshot.gathered),
        Edit(snapshot.state),
        snapshot.next_id,
        snapshot.stopped,
    )
