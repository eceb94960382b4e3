"""The state of a context while a run is under way: live for steps, committed for checkpoints."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from sys import getrefcount
from typing import Any

from immutables import Map

from cairn.engine.errors import ContextStateError, SerializationError
from cairn.engine.language.serialization import Serializer
from cairn.engine.values.extended_json import Json
from cairn.engine.values.merging import ABSENT, UNREAD, Change, merge, same

MISSING: Any = ...
OURS = 2
"""References to a value that only a `_Copy` has: its own, and the question's."""


class LiveState:
    """The state that steps see: the committed state, and the writes of steps under way.

    The writes stand in their order, each as a change of the value that its step had read. So a step
    that fails takes only its own changes away, and a step that completes commits only its own.
    """

    def __init__(self, committed: "Map[str, Json]") -> None:
        self._committed = committed
        self._changes: dict[str, list[tuple[int, Change]]] = {}  # by key, with the delivery's id
        self._seen: dict[str, Any] = {}  # what `read` has found, while it holds
        self.editing = asyncio.Lock()

    def keys(self) -> list[str]:
        """The keys there are."""
        keys = dict.fromkeys([*self._committed, *self._changes])
        return [key for key in keys if self.read(key) is not ABSENT]

    def read(self, key: str) -> Any:
        """The value under the key, as JSON that must not be changed, or ABSENT."""
        if key not in self._seen:
            changes = (change for _, change in self._changes.get(key, ()))
            self._seen[key] = reduce(merge, changes, self._committed.get(key, ABSENT))
        return self._seen[key]

    def write(self, delivery: int, key: str, change: Change) -> None:
        """Add a step's change to a value that the step had read."""
        self._seen[key] = merge(self.read(key), change)
        changes = self._changes.setdefault(key, [])
        writer, before = changes[-1] if changes else (None, change)
        if writer == delivery and before.value is change.base:
            changes[-1] = (delivery, before._replace(value=change.value))
        else:
            changes.append((delivery, change))

    def changes(self, delivery: int, keys: "list[str]") -> dict[str, tuple[Change, ...]]:
        """The changes of a delivery to these keys."""
        return {
            key: tuple(change for writer, change in self._changes[key] if writer == delivery)
            for key in keys
        }

    def commit(
        self, delivery: int, changed: Mapping[str, Sequence[Change]], committed: "Map[str, Json]"
    ) -> None:
        """The delivery has completed, and its changes are in the committed state."""
        self._committed = committed
        for key, mine in changed.items():
            # First of all in line, they come first in the committed state too: nothing is seen
            # to change. Only later ones may have been put before others.
            if any(writer != delivery for writer, _ in self._changes[key][: len(mine)]):
                self._seen.pop(key, None)
            self._forget(key, delivery)

    def abandon(self, delivery: int, keys: "list[str]") -> None:
        """Drop the changes of a delivery that has failed."""
        for key in keys:
            self._seen.pop(key, None)
            self._forget(key, delivery)

    def _forget(self, key: str, delivery: int) -> None:
        others = [entry for entry in self._changes[key] if entry[0] != delivery]
        if others:
            self._changes[key] = others
        else:
            del self._changes[key]


@dataclass(slots=True)
class _Copy:
    """A step's copy of a value, and the JSON of the value when it was read or written."""

    value: Any
    was: Json


class StepStateView:
    """The state of one step: copies of values, of which changes in place count as writes."""

    def __init__(self, delivery: int, live: LiveState, serializer: Serializer) -> None:
        self._delivery = delivery
        self._live = live
        self._serializer = serializer
        self._known: dict[str, Any] = {}  # what it last saw or wrote under a key, as JSON
        self._start: dict[str, Any] = {}  # the default with which it has read a key, as JSON
        self._held: dict[str, list[_Copy]] = {}  # what can be changed in place
        self._written: dict[str, None] = {}
        self._is_closed = False

    def keys(self) -> list[str]:
        """The keys there are."""
        return self._live.keys()

    def get(self, key: str, default: Any = MISSING, *, follow: bool = True) -> Any:
        """A copy of the value, or the default.

        A change in place of a copy that is tracked counts as a write.

        Raises:
            KeyError: there is neither a value nor a default.
        """
        self._write_back(key)
        found = self._live.read(key)
        if default is not MISSING and default is not None:
            # A counter that begins with `get(key, default=10)` counts from that 10.
            self._start[key] = self._encoded(default)
        self._known[key] = found
        if follow:
            for copy in self._held.get(key, ()):
                if copy.was is found:
                    return copy.value
        if found is ABSENT:
            if default is MISSING:
                raise KeyError(key)
            return default
        value = self._serializer.decode(found)
        if follow:
            self._hold(key, value, found, are_others_left=True)
        return value

    def set(self, key: str, value: Any) -> None:
        """Write the value as it is in this moment.

        Raises:
            SerializationError: the value cannot be stored; the message names the key and the type.
        """
        self._write_back(key)
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        self._write(key, encoded)
        self._hold(key, value, encoded)

    def last(self, key: str) -> Any:
        """A copy of the value as this step has last read or written it.

        Later writes of other steps are not in it: the two are merged when the step writes.

        Raises:
            KeyError: there is none.
        """
        if key not in self._known:
            return self.get(key)
        self._write_back(key)
        if self._known[key] is ABSENT:
            raise KeyError(key)
        return self._serializer.decode(self._known[key])

    def known(self) -> dict[str, Any]:
        """The values that this step has last read or written, by key, as JSON or ABSENT."""
        return dict(self._known)

    def update(self, key: str, value: Any, known: Mapping[str, Any]) -> None:
        """Write a changed copy of the known value, unless it equals the known value."""
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        was = known.get(key, UNREAD)
        if not same(encoded, was):
            self._known[key] = was
            self._write(key, encoded)

    def editing(self) -> asyncio.Lock:
        """Held by one edit of the whole state at a time, in the run."""
        return self._live.editing

    def delete(self, key: str) -> None:
        """Take the key away."""
        self._held.pop(key, None)
        self._write(key, ABSENT)

    def changes(self) -> dict[str, tuple[Change, ...]]:
        """All that the step has written, in place too; the last word."""
        for key in list(self._held):
            self._write_back(key)
        self._is_closed = True
        return self._live.changes(self._delivery, list(self._written))

    def abandon(self) -> None:
        """Take back all that the step has written; the last word."""
        self._is_closed = True
        self._live.abandon(self._delivery, list(self._written))

    def _write(self, key: str, encoded: Any) -> None:
        if self._is_closed:
            raise ContextStateError(
                f"state[{key!r}] cannot be written any more: the step has returned. Write it while "
                "the step is under way."
            )
        change = Change(self._known.get(key, UNREAD), encoded, self._start.get(key, ABSENT))
        self._live.write(self._delivery, key, change)
        self._written[key] = None
        self._known[key] = encoded

    def _encoded(self, default: Any) -> Any:
        """The default as JSON; one that cannot be stored only says that there is nothing."""
        try:
            return self._serializer.encode(default)
        except SerializationError:
            return ABSENT

    def _hold(self, key: str, value: Any, was: Json, are_others_left: bool = False) -> None:
        """Keep a copy in the step's hands, beside its other copies or in their place."""
        if isinstance(was, (dict, list)):
            others = self._copies_about(key) if are_others_left else ()
            self._held[key] = [*others, _Copy(value, was)]
        elif self._held:
            self._held.pop(key, None)

    def _copies_about(self, key: str) -> list[_Copy]:
        """The copies that the step still holds: a copy without a holder cannot change."""
        return [copy for copy in self._held.get(key, ()) if getrefcount(copy.value) > OURS]

    def _write_back(self, key: str) -> None:
        """Write the copies that were changed in place since they were read or written."""
        for copy in self._held.get(key, ()):
            encoded = self._serializer.encode(copy.value, f"state[{key!r}]")
            if not same(encoded, copy.was):
                self._known[key] = copy.was
                self._write(key, encoded)
                copy.was = encoded
