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
UNSHARED = 2
"""The reference count of a value that the step has dropped: by `_Copy`, and by the call."""


class LiveState:
    """The state that steps see: the committed state, and the writes of steps under way.

    The writes stand in their order, each as a change of the value that its step had read. So a step
    that fails takes only its own changes away, and a step that completes commits only its own.
    """

    def __init__(self, committed: "Map[str, Json]") -> None:
        self._committed = committed
        self._changes: dict[str, list[tuple[int, Change]]] = {}  # by key, with the delivery's id
        self._merged: dict[str, Any] = {}  # the results of `read`, until a change
        self.editing = asyncio.Lock()

    def keys(self) -> list[str]:
        """The keys that have a value."""
        keys = dict.fromkeys([*self._committed, *self._changes])
        return [key for key in keys if self.read(key) is not ABSENT]

    def read(self, key: str) -> Any:
        """The value of the key, as JSON, or ABSENT. The caller must not change the JSON."""
        if key not in self._merged:
            changes = (change for _, change in self._changes.get(key, ()))
            self._merged[key] = reduce(merge, changes, self._committed.get(key, ABSENT))
        return self._merged[key]

    def write(self, delivery: int, key: str, change: Change) -> None:
        """Add a step's change to a value that the step had read."""
        self._merged[key] = merge(self.read(key), change)
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
        """Adopt the committed state, which has the changes of a completed delivery.

        Args:
            delivery: the id of the delivery.
            changed: the changes of the delivery, by key.
            committed: the state after these changes.
        """
        self._committed = committed
        for key, mine in changed.items():
            # A delivery whose changes come first keeps that place in the committed state: `read`
            # gives the same value. Otherwise the commit has put these changes before older ones.
            if any(writer != delivery for writer, _ in self._changes[key][: len(mine)]):
                self._merged.pop(key, None)
            self._discard(key, delivery)

    def abandon(self, delivery: int, keys: "list[str]") -> None:
        """Drop the changes of a delivery that has failed."""
        for key in keys:
            self._merged.pop(key, None)
            self._discard(key, delivery)

    def _discard(self, key: str, delivery: int) -> None:
        others = [entry for entry in self._changes[key] if entry[0] != delivery]
        if others:
            self._changes[key] = others
        else:
            del self._changes[key]


@dataclass(slots=True)
class _Copy:
    """A step's copy of a value, and the JSON of the value at the last read or write."""

    value: Any
    was: Json


class StepStateView:
    """The state of one step: copies of values, of which changes in place count as writes."""

    def __init__(self, delivery: int, live: LiveState, serializer: Serializer) -> None:
        self._delivery = delivery
        self._live = live
        self._serializer = serializer
        self._known: dict[str, Any] = {}  # the value last read or written, by key, as JSON
        self._start: dict[str, Any] = {}  # the default of the last read, by key, as JSON
        self._copies: dict[str, list[_Copy]] = {}  # of dicts and lists, which can change in place
        self._written: dict[str, None] = {}
        self._is_closed = False

    def keys(self) -> list[str]:
        """The keys that have a value."""
        return self._live.keys()

    def get(self, key: str, default: Any = MISSING, *, follow: bool = True) -> Any:
        """A copy of the value, or the default.

        Args:
            key: the key.
            default: the result if the key has no value.
            follow: whether a change of the copy in place counts as a write.

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
            for copy in self._copies.get(key, ()):
                if copy.was is found:
                    return copy.value
        if found is ABSENT:
            if default is MISSING:
                raise KeyError(key)
            return default
        value = self._serializer.decode(found)
        if follow:
            self._track(key, value, found, are_others_left=True)
        return value

    def set(self, key: str, value: Any) -> None:
        """Write a copy of the value.

        Raises:
            SerializationError: the value cannot be stored; the message names the key and the type.
            ContextStateError: the step has ended.
        """
        self._write_back(key)
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        self._write(key, encoded)
        self._track(key, value, encoded)

    def last(self, key: str) -> Any:
        """A copy of the value that this step has read or written last.

        Later writes of other steps are left out. A write of this step is merged with these.

        Raises:
            KeyError: the key has no value.
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
        """Write the value, a changed copy of a known one, unless both are equal."""
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        was = known.get(key, UNREAD)
        if not same(encoded, was):
            self._known[key] = was
            self._write(key, encoded)

    def editing(self) -> asyncio.Lock:
        """The lock of the run for edits of the whole state."""
        return self._live.editing

    def delete(self, key: str) -> None:
        """Delete the key."""
        self._copies.pop(key, None)
        self._write(key, ABSENT)

    def changes(self) -> dict[str, tuple[Change, ...]]:
        """Close the view, and return the changes of the step, those in place included."""
        for key in list(self._copies):
            self._write_back(key)
        self._is_closed = True
        return self._live.changes(self._delivery, list(self._written))

    def abandon(self) -> None:
        """Close the view, and drop the changes of the step."""
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
        """The default as JSON; ABSENT for a default that cannot be stored."""
        try:
            return self._serializer.encode(default)
        except SerializationError:
            return ABSENT

    def _track(self, key: str, value: Any, was: Json, are_others_left: bool = False) -> None:
        """Look for changes of a copy from now on; of the other copies only if `are_others_left`."""
        if isinstance(was, (dict, list)):
            others = self._copies_in_use(key) if are_others_left else ()
            self._copies[key] = [*others, _Copy(value, was)]
        elif self._copies:
            self._copies.pop(key, None)

    def _copies_in_use(self, key: str) -> list[_Copy]:
        """The copies that the step still refers to: no other copy can change."""
        return [copy for copy in self._copies.get(key, ()) if getrefcount(copy.value) > UNSHARED]

    def _write_back(self, key: str) -> None:
        """Write each copy that has changed in place since its read or write."""
        for copy in self._copies.get(key, ()):
            encoded = self._serializer.encode(copy.value, f"state[{key!r}]")
            if not same(encoded, copy.was):
                self._known[key] = copy.was
                self._write(key, encoded)
                copy.was = encoded
