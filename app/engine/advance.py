"""The heart: what one fact makes of a run. Pure: no clock, no tasks, no storage."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import itemgetter

from app.engine.facts import Completed, Fact, Received, Sent, Waiting
from app.engine.marks import Json
from app.engine.merging import ABSENT, Change, merge
from app.engine.serialization import SealedEvent
from app.engine.snapshot import NOTHING, Buffered, Delivery, Delta, Edit, Snapshot, Wait


@dataclass(frozen=True, slots=True)
class Routes:
    """Where events go: the steps that take an event, by the name of its type; and the types that
    end the run."""

    steps: Mapping[str, tuple[str, ...]]
    stops: frozenset[str]


def advance(routes: Routes, snapshot: Snapshot, fact: Fact) -> Delta:
    """How the fact changes the snapshot: `snapshot.after(...)` is the run after it.

    A delta rather than the next snapshot, since it is what storage writes: its size depends on
    the fact, not on all that is pending.
    """
    draft = _Draft(routes, snapshot)
    match fact:
        case Received(sent):
            draft.send(sent)
        case Completed(delivery, sent, _, changes, buffers, calls):
            draft.buffers, draft.calls = buffers, calls
            draft.complete(delivery)
            draft.write(changes or {})
            draft.send_all(sent)
        case Waiting(wait, sent, buffers, calls):
            draft.buffers, draft.calls = buffers, calls
            draft.send_all(sent)
            draft.wait(wait, len(sent))
    return draft.delta()


@dataclass(slots=True)
class _Draft:
    """The next snapshot while it is being made."""

    routes: Routes
    before: Snapshot
    deliveries: dict[int, Delivery | None] = field(default_factory=dict)
    waits: dict[str, Wait | None] = field(default_factory=dict)
    buffers: Edit[str, Buffered] = NOTHING
    calls: Edit[str, tuple[str, ...]] = NOTHING
    unclaimed: dict[int, SealedEvent | None] = field(default_factory=dict)
    state: dict[str, Json] = field(default_factory=dict)
    next_id: int = 0
    stopped: SealedEvent | None = None

    def __post_init__(self) -> None:
        self.next_id = self.before.next_id
        self.stopped = self.before.stopped

    def send_all(self, events: Iterable[Sent]) -> None:
        for sent in events:
            if self.stopped is None:
                self.send(sent)

    def send(self, sent: Sent) -> None:
        """One delivery for each step that takes the event; waits that want it are answered."""
        event = sent.event
        if event.type in self.routes.stops:
            self._stop(event)
            return
        takers = (sent.step,) if sent.step else self.routes.steps.get(event.type, ())
        for step in takers:
            self.deliveries[self.next_id] = Delivery(self.next_id, step, event)
            self.next_id += 1
        answered = False if sent.step else self._answer(event)
        if not takers and not answered:
            self.unclaimed[self.next_id] = event
            self.next_id += 1

    def complete(self, id_: int) -> None:
        """The delivery is no longer pending, nor what it waited for."""
        for waiter in self.before.deliveries[id_].waiters:
            self.waits[f"{id_}:{waiter}"] = None
        self.deliveries[id_] = None

    def write(self, changes: Mapping[str, Sequence[Change]]) -> None:
        """What the step wrote joins the state."""
        for key, made in changes.items():
            self.state[key] = reduce(merge, made, self.before.state.get(key, ABSENT))

    def wait(self, wait: Wait, sent: int) -> None:
        """The delivery stays pending, and remembers what it has sent and waits for."""
        delivery = self.before.deliveries[wait.delivery]
        waiters = (*delivery.waiters, wait.waiter)
        begun = [self.before.waits[f"{delivery.id}:{waiter}"] for waiter in delivery.waiters]
        wait = wait._replace(answered=sum(each.answer is not None for each in begun))
        self.deliveries[wait.delivery] = delivery._replace(
            sent=delivery.sent + sent, waiters=waiters
        )
        unclaimed = {**self.before.unclaimed, **self.unclaimed}
        for id_, event in sorted(unclaimed.items(), key=itemgetter(0)):
            if event is not None and wait.wants(event):
                wait = wait._replace(answer=event)
                self.unclaimed[id_] = None
                break
        self.waits[wait.key] = wait

    def delta(self) -> Delta:
        return Delta(
            Edit.of(self.deliveries),
            Edit.of(self.waits),
            self.buffers,
            self.calls,
            Edit.of(self.unclaimed),
            self._state_edit(),
            self.next_id,
            self.stopped,
        )

    def _state_edit(self) -> Edit[str, Json]:
        if not self.state:
            return NOTHING
        return Edit(
            {key: value for key, value in self.state.items() if value is not ABSENT},
            tuple(key for key, value in self.state.items() if value is ABSENT),
        )

    def _answer(self, event: SealedEvent) -> bool:
        answered = False
        for key, wait in self.before.waits.items():
            if wait.wants(event) and self.waits.get(key, wait) is wait:
                self.waits[key] = wait._replace(answer=event)
                answered = True
        return answered

    def _stop(self, event: SealedEvent) -> None:
        """Nothing is left to do: what was pending is dropped."""
        self.stopped = event
        self.deliveries = dict.fromkeys(self.before.deliveries)
        self.waits = dict.fromkeys(self.before.waits)
        self.buffers = Edit(drop=tuple(self.before.buffers))
        self.calls = Edit(drop=tuple(self.before.calls))
        self.unclaimed = dict.fromkeys(self.before.unclaimed)
