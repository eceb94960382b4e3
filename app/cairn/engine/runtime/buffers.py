"""The entries and the calls of `collect_events`, while a run is under way.

Steps see each other's entries at once, so the calls have one order, and a step that starts again
must be given the same results again. So each fact of the run keeps all calls made until then, not
only those of its own step.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence

from cairn.engine.core.keys import CallKey
from cairn.engine.core.snapshot import NOTHING, Buffered, Edit, Snapshot
from cairn.engine.language.events import Event
from cairn.engine.values.sealed import SealedEvent

Place = tuple[str, str, str]  # step, buffer, type of event
Turn = tuple[int, int, str]  # delivery, call, key: entries are taken in the order of their sending

NO_NEWS: tuple[Edit[str, Buffered], Edit[str, tuple[str, ...]]] = (NOTHING, NOTHING)


class LiveBuffers:
    """The entries that can be collected, and the calls of the steps under way."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._entries = dict(snapshot.buffers)
        self._calls = dict(snapshot.calls)
        self._calls_of: defaultdict[int, list[str]] = defaultdict(list)
        self._queues: defaultdict[Place, list[Turn]] = defaultdict(list)
        self._waiting: Counter[tuple[str, str]] = Counter()  # in all queues of a buffer
        self._new_entries: dict[str, Buffered | None] = {}
        self._new_calls: dict[str, tuple[str, ...] | None] = {}
        for key, entry in self._entries.items():
            if not entry.taken_by:
                self._queue(key, entry)
        for key in self._calls:
            self._calls_of[CallKey.of(key).delivery].append(key)

    def collect(
        self, entry: Buffered, expected: Sequence[type[Event]]
    ) -> Sequence[SealedEvent] | None:
        """Put an entry by; once there is one for each expected type, take these, oldest first.

        A call that an earlier attempt at the same delivery has made has its result again.
        """
        key = entry.key
        if key not in self._calls:
            self._change_entry(key, entry)
            self._queue(key, entry)
            self._change_call(key, self._take(entry, expected))
            self._calls_of[entry.delivery].append(key)
        taken = self._calls[key]
        return [self._entries[each].event for each in taken] or None

    def complete(self, delivery: int) -> None:
        """Drop the entries that a completed delivery has collected; those it put by stay."""
        if not self._calls_of:
            return
        for key in self._calls_of.pop(delivery, ()):
            for taken in self._calls[key]:
                self._change_entry(taken, None)
            self._change_call(key, None)

    def abandon(self, delivery: int) -> None:
        """Drop the entries that a failed delivery has put by, and give back those it collected."""
        for key in self._calls_of.pop(delivery, ()):
            for taken in self._calls[key]:
                entry = self._entries[taken]._replace(taken_by="")
                self._change_entry(taken, entry)
                self._queue(taken, entry)
            self._change_call(key, None)
        own = [key for key, entry in self._entries.items() if entry.delivery == delivery]
        for key in own:
            if not self._entries[key].taken_by:
                self._unqueue(key)
                self._change_entry(key, None)

    def news(self) -> tuple[Edit[str, Buffered], Edit[str, tuple[str, ...]]]:
        """The changes of the entries and of the calls since the last look."""
        if not self._new_calls and not self._new_entries:
            return NO_NEWS
        entries, calls = self._new_entries, self._new_calls
        news = Edit.of(entries) if entries else NOTHING, Edit.of(calls) if calls else NOTHING
        self._new_entries, self._new_calls = {}, {}
        return news

    def _take(self, entry: Buffered, expected: Sequence[type[Event]]) -> tuple[str, ...]:
        # A fan-in of a thousand asks so each time: it must not count to a thousand each time.
        if self._waiting[entry.step, entry.buffer] < len(expected):
            return ()
        queues = {
            kind: self._queues[entry.step, entry.buffer, kind.__name__] for kind in set(expected)
        }
        if any(len(queues[kind]) < count for kind, count in Counter(expected).items()):
            return ()
        taken = tuple(heapq.heappop(queues[kind])[2] for kind in expected)
        self._waiting[entry.step, entry.buffer] -= len(taken)
        for key in taken:
            self._change_entry(key, self._entries[key]._replace(taken_by=entry.key))
        return taken

    def _queue(self, key: str, entry: Buffered) -> None:
        queue = self._queues[entry.step, entry.buffer, entry.event.type]
        heapq.heappush(queue, (entry.delivery, entry.call, key))
        self._waiting[entry.step, entry.buffer] += 1

    def _unqueue(self, key: str) -> None:
        entry = self._entries[key]
        queue = self._queues[entry.step, entry.buffer, entry.event.type]
        queue[:] = [turn for turn in queue if turn[2] != key]
        heapq.heapify(queue)
        self._waiting[entry.step, entry.buffer] -= 1

    def _change_entry(self, key: str, entry: Buffered | None) -> None:
        self._new_entries[key] = entry
        if entry is None:
            del self._entries[key]
        else:
            self._entries[key] = entry

    def _change_call(self, key: str, taken: tuple[str, ...] | None) -> None:
        self._new_calls[key] = taken
        if taken is None:
            del self._calls[key]
        else:
            self._calls[key] = taken
