"""Adopting: the later results of steps under way at a checkpoint, taken over by a rerun."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from cairn.engine.core.facts import Caught, Completed, Fact, Received, TimedOut, Waiting
from cairn.engine.core.keys import CallKey
from cairn.engine.core.snapshot import Buffered, Delta, Edit, Snapshot


def adopted(
    snapshot: Snapshot, ids: Iterable[int], later: Sequence[tuple[Fact, Delta]]
) -> list[Fact]:
    """The facts by which these deliveries ended after the snapshot, reduced to their own part.

    Skipped (and executed again): deliveries that never ended, and those that consumed output of a
    delivery that is executed again.

    Args:
        snapshot: the snapshot of the checkpoint.
        ids: the deliveries pending there.
        later: the facts of the run after that, with their deltas.
    """
    story = _Story(snapshot, later)
    chosen = {id_ for id_ in ids if id_ in story.ends}
    while left_out := {id_ for id_ in chosen if not story.stands_alone(id_, chosen)}:
        chosen -= left_out  # and so, perhaps, what stood on these
    return list(story.of(chosen))


class _Story:
    """The course of a run after a snapshot."""

    def __init__(self, snapshot: Snapshot, later: Sequence[tuple[Fact, Delta]]) -> None:
        self._snapshot = snapshot
        self._later = later
        self._entries: dict[str, Buffered] = dict(snapshot.buffers)
        self.ends: dict[int, Completed | Caught] = {}
        for fact, _ in later:
            if isinstance(fact, (Completed, Caught)):
                self.ends[fact.delivery] = fact
            if not isinstance(fact, (Received, TimedOut)):
                self._entries.update(fact.buffers.put)
        # Who has taken what another had put by just before, so that no record holds it.
        self._takers: defaultdict[int, set[int]] = defaultdict(set)
        for id_ in self.ends:
            for key in self._taken(id_):
                if key not in self._entries:
                    self._takers[CallKey.of(key).delivery].add(id_)

    def stands_alone(self, id_: int, chosen: set[int]) -> bool:
        """True if the delivery depends on the snapshot, the world outside, and these alone."""
        collected = [key for key in self._taken(id_) if key not in self._snapshot.buffers]
        owners = {CallKey.of(key).delivery for key in collected}
        others = {*owners, *self._takers[id_], *self._answered_by(id_)} - {id_}
        return others <= chosen

    def of(self, chosen: Collection[int]) -> Iterator[Fact]:
        """The facts of these deliveries, in their order."""
        gone = {key for id_ in chosen for key in self._taken(id_)}
        for fact, _ in self._later:
            match fact:
                case Waiting(wait, sent) if wait.delivery in chosen:
                    yield Waiting(wait, sent)
                case TimedOut(delivery=id_) as timed_out if id_ in chosen:
                    yield timed_out
                case Completed(delivery=id_) | Caught(delivery=id_) as end if id_ in chosen:
                    calls = [key for key in self._snapshot.calls if CallKey.of(key).delivery == id_]
                    buffers = self._buffers(id_, end, gone)
                    yield end._replace(buffers=buffers, calls=Edit(drop=tuple(calls)))

    def _taken(self, id_: int) -> Collection[str]:
        """The entries that the delivery has collected for good."""
        end = self.ends[id_]
        return end.buffers.drop if isinstance(end, Completed) else ()

    def _buffers(
        self, id_: int, end: Completed | Caught, gone: Collection[str]
    ) -> Edit[str, Buffered]:
        """The entries that the delivery has put by and taken; a failed one has given them back."""
        own = {k: e._replace(taken_by="") for k, e in self._entries.items() if e.delivery == id_}
        if isinstance(end, Completed):
            return Edit({k: e for k, e in own.items() if k not in gone}, end.buffers.drop)
        back = {
            key: entry._replace(taken_by="")
            for key, entry in self._snapshot.buffers.items()
            if entry.taken_by
            and CallKey.of(entry.taken_by).delivery == id_
            and entry.delivery != id_
        }
        return Edit(back, tuple(key for key in own if key in self._snapshot.buffers))

    def _answered_by(self, id_: int) -> Iterator[int]:
        """The deliveries whose steps sent the answers to the waits of this one, since the snapshot.

        An answer that was there before, or came from outside, has no such delivery.
        """
        answered = {key for key, wait in self._snapshot.waits.items() if wait.answer is not None}
        senders: dict[int, int | None] = {}
        for fact, delta in self._later:
            sender = _sender(fact)
            senders |= dict.fromkeys(delta.unclaimed.put, sender)
            for key, wait in delta.waits.put.items():
                if wait.delivery != id_ or wait.answer is None or key in answered:
                    continue
                answered.add(key)
                if isinstance(fact, Waiting) and fact.wait.key == key:
                    sources: Mapping[int, int | None] = senders
                    found = [sources.get(old) for old in delta.unclaimed.drop]
                    sender = found[0] if found else sender
                if sender is not None:
                    yield sender


def _sender(fact: Fact) -> int | None:
    match fact:
        case Received():
            return None
        case Waiting(wait):
            return wait.delivery
    return fact.delivery
