"""Draft: the next snapshot while one fact makes it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import itemgetter

from cairn.engine.core.facts import Sent
from cairn.engine.core.keys import gathered_key, place_key, wait_key
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import (
    NOTHING,
    Batch,
    Buffered,
    Delivery,
    Delta,
    Edit,
    Gathered,
    Queue,
    Snapshot,
    Wait,
)
from cairn.engine.values.extended_json import Json
from cairn.engine.values.merging import ABSENT, Change, merge
from cairn.engine.values.sealed import BATCH, SealedEvent, pack, unpack

LIST = ""  # the slot of a step that collects a list
OUTSIDE = Delivery(0, "", SealedEvent("", {}))
"""The source of events that no step sent: a start event or a message."""


def written(changes: Mapping[str, Sequence[Change]], state: Mapping[str, Json]) -> Edit[str, Json]:
    """The edit of the state that a step's changes come to."""
    put: dict[str, Json] = {}
    drop: list[str] = []
    for key, made in changes.items():
        value = reduce(merge, made, state.get(key, ABSENT))
        if value is ABSENT:
            drop.append(key)
        else:
            put[key] = value
    return Edit(put, tuple(drop))


class Draft:
    """The changes of a snapshot, part by part; `None` drops an entry."""

    __slots__ = (
        "batches",
        "before",
        "buffers",
        "calls",
        "done",
        "gathered",
        "next_id",
        "pending",
        "queues",
        "routes",
        "state",
        "stopped",
        "unclaimed",
        "waits",
    )

    def __init__(self, routes: Routes, before: Snapshot) -> None:
        self.routes = routes
        self.before = before
        self.pending: dict[int, Delivery] = {}
        self.done: list[int] = []
        self.waits: dict[str, Wait | None] = {}
        self.buffers: Edit[str, Buffered] = NOTHING
        self.calls: Edit[str, tuple[str, ...]] = NOTHING
        self.unclaimed: dict[int, SealedEvent | None] = {}
        self.batches: dict[int, Batch | None] = {}
        self.queues: dict[str, Queue | None] = {}
        self.gathered: dict[str, Gathered | None] = {}
        self.state: Edit[str, Json] = NOTHING
        self.next_id = before.next_id
        self.stopped = before.stopped

    # What a fact can say

    def take_out(self, id_: int) -> Delivery:
        """Take a completed delivery out, with its waits."""
        done = self.before.deliveries[id_]
        for waiter in done.waiters:
            self.waits[wait_key(id_, waiter)] = None
        self.done.append(id_)
        return done

    def send_all(self, events: Iterable[Sent], source: Delivery) -> None:
        """Send events of a step. An event that is sent, not returned, is outside of all batches."""
        source = source._replace(batch=0, member=0) if source.batch else source
        for sent in events:
            self.send(sent, source)

    def send(self, sent: Sent, source: Delivery = OUTSIDE) -> None:
        """Send an event to the steps that take its type, and to the waits that want it."""
        self._send(sent.event, sent.step, source)

    def _send(self, event: SealedEvent, step: str | None, source: Delivery) -> None:
        if self.stopped is not None:
            return
        route = self.routes[event.type]
        if route.stops:
            self._stop(event)
            return
        claimed = False
        for taker in route.steps if step is None else (step,):
            if taker not in self.routes.joins:
                self._deliver(taker, event, source)
                claimed = True
        for joining, slots in route.slots:
            if step is None or step == joining:
                self._join(joining, slots, event, source)
                claimed = True
        if source.batch:
            producer = self._batch(source.batch).step
            for collector in route.collectors:
                if collector in self.routes.bound.get(producer, ()):
                    self._collect(collector, event, source)
                    claimed = True
        if step is None and self.before.waits and self._answer(event):
            claimed = True
        if not claimed:
            self.unclaimed[self.next_id] = event
            self.next_id += 1

    def give(self, output: SealedEvent, source: Delivery) -> None:
        """A step has returned this; the events of a list are a batch of their own."""
        if output.type != BATCH:
            self._send(output, None, source)
            return
        if self.stopped is not None:
            return
        batch = Batch(self.next_id, source.step, source.batch, source.member, 1)
        self.next_id += 1
        self.batches[batch.id] = batch
        if source.batch:
            self._count(source.batch, 1)
        for member, event in enumerate(unpack(output)):
            self._send(event, None, source._replace(batch=batch.id, member=member))
        self._end(batch.id)

    def hand_over(self, failure: SealedEvent, handler: str, source: Delivery) -> None:
        """Start the handler of a step's failure."""
        caught = {**source.caught, handler: source.caught.get(handler, 0) + 1}
        self._deliver(handler, failure, source._replace(caught=caught))

    def leave(self, batch: int) -> None:
        """Count one delivery less in its batch, after the events that follow from it were sent."""
        if batch:
            self._end(batch)

    def wait(self, wait: Wait, sent: int) -> None:
        """Keep the delivery of a step that begins to wait, with the number of events sent."""
        if self.stopped is not None:
            return
        delivery = self.before.deliveries[wait.delivery]
        waiters = (*delivery.waiters, wait.waiter)
        begun = [self.before.waits[wait_key(delivery.id, waiter)] for waiter in delivery.waiters]
        wait = wait._replace(answered=sum(each.is_settled for each in begun))
        self.pending[wait.delivery] = delivery._replace(sent=delivery.sent + sent, waiters=waiters)
        unclaimed = {**self.before.unclaimed, **self.unclaimed}
        for id_, event in sorted(unclaimed.items(), key=itemgetter(0)):
            if event is not None and wait.wants(event):
                wait = wait._replace(answer=event)
                self.unclaimed[id_] = None
                break
        self.waits[wait.key] = wait

    def close_question(self, event: SealedEvent) -> None:
        """Close the oldest open question, if the event is an answer and steps take it."""
        route = self.routes[event.type]
        if route.answers and route.starts and self.stopped is None:
            open_ = (i for i, e in self.before.unclaimed.items() if self.routes[e.type].asks)
            oldest = min(open_, default=None)
            if oldest is not None:
                self.unclaimed[oldest] = None

    def give_up(self, key: str) -> None:
        """End a wait without an answer.

        An answer that came in the same moment becomes unclaimed, unless steps have taken it.
        """
        wait = self.before.waits[key]
        self.waits[key] = wait._replace(over=True, answer=None)
        if wait.answer is not None and not self.routes[wait.answer.type].starts:
            self.unclaimed[self.next_id] = wait.answer
            self.next_id += 1

    def delta(self) -> Delta:
        """All that has changed."""
        return Delta(
            Edit(self.pending, tuple(self.done)) if self.pending or self.done else NOTHING,
            Edit.of(self.waits) if self.waits else NOTHING,
            self.buffers,
            self.calls,
            Edit.of(self.unclaimed) if self.unclaimed else NOTHING,
            Edit.of(self.batches) if self.batches else NOTHING,
            Edit.of(self.queues) if self.queues else NOTHING,
            Edit.of(self.gathered) if self.gathered else NOTHING,
            self.state,
            self.next_id,
            self.stopped,
        )

    # What follows

    def _deliver(self, step: str, event: SealedEvent, source: Delivery) -> None:
        id_, batch = self.next_id, source.batch
        self.pending[id_] = Delivery(id_, step, event, 0, (), batch, source.member, source.caught)
        self.next_id += 1
        if batch:
            self._count(batch, 1)

    def _answer(self, event: SealedEvent) -> bool:
        answered = False
        for key, wait in self.before.waits.items():
            if wait.wants(event) and self.waits.get(key, wait) is wait:
                self.waits[key] = wait._replace(answer=event)
                answered = True
        return answered

    def _stop(self, event: SealedEvent) -> None:
        """End the run: drop all that is pending."""
        before = self.before
        self.stopped = event
        self.pending, self.done = {}, list(before.deliveries)
        self.waits = dict.fromkeys(before.waits)
        self.buffers = Edit(drop=tuple(before.buffers)) if before.buffers else NOTHING
        self.calls = Edit(drop=tuple(before.calls)) if before.calls else NOTHING
        self.unclaimed = dict.fromkeys(before.unclaimed)
        self.batches = dict.fromkeys(before.batches)
        self.queues = dict.fromkeys(before.queues)
        self.gathered = dict.fromkeys(before.gathered)

    # Joining and collecting

    def _join(
        self, step: str, slots: tuple[str, ...], event: SealedEvent, source: Delivery
    ) -> None:
        """Put the event by for one parameter; once there is one for each, the step starts."""
        places = {name: place_key(source.batch, step, name) for name in self.routes.joins[step]}
        slot = min(slots, key=lambda name: self._waiting_in(places[name]))
        self._put_by(places[slot], event, source)
        if all(map(self._waiting_in, places.values())):
            entries = [self._take_first(place) for place in places.values()]
            self._start_with(step, entries, source.batch, entries[0].member)

    def _collect(self, step: str, event: SealedEvent, source: Delivery) -> None:
        """Put the event by, for when its batch has ended, or enough are there."""
        place = place_key(source.batch, step, LIST)
        if self._queue(place).closed:
            return
        self._put_by(place, event, source)
        enough = self.routes.takes[step]
        if enough is not None and self._queue(place).next >= enough:
            self._release(step, place, self._batch(source.batch))
            self.queues[place] = Queue(closed=True)

    def _end(self, id_: int) -> None:
        """Count one delivery, or one batch, less in a batch.

        The last one closes the batch, and starts the steps that collect the batch.
        """
        while id_ and self.stopped is None:
            batch = self._count(id_, -1)
            if batch.pending:
                return
            for step in self.routes.bound.get(batch.step, ()):
                place = place_key(id_, step, LIST)
                if not self._queue(place).closed:
                    self._release(step, place, batch)
                self._drop(place)
            for step, slots in self.routes.joins.items():
                for slot in slots:  # events without a partner
                    self._drop(place_key(id_, step, slot))
            self.batches[id_] = None
            id_ = batch.within

    def _release(self, step: str, place: str, batch: Batch) -> None:
        """Start a step with the events that it has collected, in the batch around this one."""
        entries = [self._take_first(place) for _ in range(self._waiting_in(place))]
        enough = self.routes.takes[step]
        if enough is not None:  # the code may ask for fewer events now
            entries = entries[:enough]
        else:
            entries.sort(key=lambda entry: entry.member)  # as in the list, whichever was done first
        self._start_with(step, entries, batch.within, batch.member)

    def _start_with(self, step: str, entries: Sequence[Gathered], batch: int, member: int) -> None:
        caught: dict[str, int] = {}
        for entry in entries:
            for handler, count in entry.caught.items():
                caught[handler] = max(count, caught.get(handler, 0))
        event = pack([entry.event for entry in entries])
        self._deliver(step, event, OUTSIDE._replace(batch=batch, member=member, caught=caught))

    def _batch(self, id_: int) -> Batch:
        return self.batches.get(id_) or self.before.batches[id_]

    def _count(self, id_: int, change: int) -> Batch:
        """More, or less, is pending in the batch."""
        batch = self._batch(id_)
        batch = self.batches[id_] = batch._replace(pending=batch.pending + change)
        return batch

    def _queue(self, place: str) -> Queue:
        return self.queues.get(place) or self.before.queues.get(place) or Queue()

    def _waiting_in(self, place: str) -> int:
        queue = self._queue(place)
        return queue.next - queue.first

    def _put_by(self, place: str, event: SealedEvent, source: Delivery) -> None:
        queue = self._queue(place)
        self.gathered[gathered_key(place, queue.next)] = Gathered(
            event, source.member, source.caught
        )
        self.queues[place] = Queue(queue.first, queue.next + 1, queue.closed)

    def _take_first(self, place: str) -> Gathered:
        queue = self._queue(place)
        key = gathered_key(place, queue.first)
        entry = self.gathered.get(key) or self.before.gathered[key]
        self.gathered[key] = None
        self.queues[place] = Queue(queue.first + 1, queue.next, queue.closed)
        return entry

    def _drop(self, place: str) -> None:
        """Drop a queue, and the events that are left in it."""
        queue = self._queue(place)
        for number in range(queue.first, queue.next):
            self.gathered[gathered_key(place, number)] = None
        if place in self.queues or place in self.before.queues:
            self.queues[place] = None
