"""Draft: the next snapshot while one fact makes it."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import itemgetter

from cairn.engine.core.facts import Sent
from cairn.engine.core.keys import Place, gathered_key, wait_key
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
"""What an event that comes from no step comes from."""


def written(changes: Mapping[str, Sequence[Change]], state: Mapping[str, Json]) -> Edit[str, Json]:
    """How what a step wrote changes the state."""
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
    """What changes of a snapshot, part by part; `None` drops an entry."""

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
        """The delivery is no longer pending, nor what it waited for."""
        done = self.before.deliveries[id_]
        for waiter in done.waiters:
            self.waits[wait_key(id_, waiter)] = None
        self.done.append(id_)
        return done

    def send_all(self, events: Iterable[Sent], source: Delivery) -> None:
        """A step has sent these. What is sent, rather than returned, is outside of all batches."""
        source = source._replace(batch=0, member=0) if source.batch else source
        for sent in events:
            self.send(sent, source)

    def send(self, sent: Sent, source: Delivery = OUTSIDE) -> None:
        """An event goes out: to the steps that take it, and to the waits that want it."""
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
        """The step's failure goes to the one that catches it."""
        caught = {**source.caught, handler: source.caught.get(handler, 0) + 1}
        self._deliver(handler, failure, source._replace(caught=caught))

    def leave(self, batch: int) -> None:
        """A delivery of the batch has been taken out, and what came of it has been sent."""
        if batch:
            self._end(batch)

    def wait(self, wait: Wait, sent: int) -> None:
        """The delivery stays pending, and remembers what it has sent and waits for."""
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
        """The event answers the question that has stood open for longest, if steps take it."""
        route = self.routes[event.type]
        if route.answers and route.starts and self.stopped is None:
            open_ = (i for i, e in self.before.unclaimed.items() if self.routes[e.type].asks)
            oldest = min(open_, default=None)
            if oldest is not None:
                self.unclaimed[oldest] = None

    def give_up(self, key: str) -> None:
        """The wait is over without an answer; one that has just come is there for others, unless
        steps have taken it, too."""
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
        """Nothing is left to do: what was pending is dropped."""
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
        places = {name: Place(source.batch, step, name).key for name in self.routes.joins[step]}
        slot = min(slots, key=lambda name: self._waiting_in(places[name]))
        self._put_by(places[slot], event, source)
        if all(map(self._waiting_in, places.values())):
            entries = [self._take_first(place) for place in places.values()]
            self._start_with(step, entries, source.batch, entries[0].member)

    def _collect(self, step: str, event: SealedEvent, source: Delivery) -> None:
        """Put the event by, for when its batch has ended, or enough are there."""
        place = Place(source.batch, step, LIST).key
        if self._queue(place).closed:
            return
        self._put_by(place, event, source)
        enough = self.routes.takes[step]
        if enough is not None and self._queue(place).next >= enough:
            self._release(step, place, self._batch(source.batch))
            self.queues[place] = Queue(closed=True)

    def _end(self, id_: int) -> None:
        """One thing less is pending in the batch; the last one closes it, and starts the steps
        that collect it."""
        while id_ and self.stopped is None:
            batch = self._count(id_, -1)
            if batch.pending:
                return
            for step in self.routes.bound.get(batch.step, ()):
                place = Place(id_, step, LIST).key
                if not self._queue(place).closed:
                    self._release(step, place, batch)
                self._drop(place)
            for step, slots in self.routes.joins.items():
                for slot in slots:  # what has found nothing to be joined with
                    self._drop(Place(id_, step, slot).key)
            self.batches[id_] = None
            id_ = batch.within

    def _release(self, step: str, place: str, batch: Batch) -> None:
        """The step starts, in the batch around this one, with what it has collected."""
        entries = [self._take_first(place) for _ in range(self._waiting_in(place))]
        enough = self.routes.takes[step]
        if enough is not None:  # there may be more, if it has become less since
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
        self.queues[place] = queue._replace(next=queue.next + 1)

    def _take_first(self, place: str) -> Gathered:
        queue = self._queue(place)
        key = gathered_key(place, queue.first)
        entry = self.gathered.get(key) or self.before.gathered[key]
        self.gathered[key] = None
        self.queues[place] = queue._replace(first=queue.first + 1)
        return entry

    def _drop(self, place: str) -> None:
        """The queue is of no more use, nor what is still in it."""
        queue = self._queue(place)
        for number in range(queue.first, queue.next):
            self.gathered[gathered_key(place, number)] = None
        if place in self.queues or place in self.before.queues:
            self.queues[place] = None
