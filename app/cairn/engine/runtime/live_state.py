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
    """What steps see: the committed state, with what the steps under way have written so far.

    Their changes stand in the order of writing, each a change of what its step had read: so one
    that fails takes only its own away, and one that completes takes only its own along.
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
        """A step makes a change to what it has seen."""
        self._seen[key] = merge(self.read(key), change)
        changes = self._changes.setdefault(key, [])
        writer, before = changes[-1] if changes else (None, change)
        if writer == delivery and before.value is change.base:
            changes[-1] = (delivery, before._replace(value=change.value))
        else:
            changes.append((delivery, change))

    def changes(self, delivery: int, keys: "list[str]") -> dict[str, tuple[Change, ...]]:
        """What the delivery has written under these keys."""
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
        """The delivery has failed, and what it wrote vanishes."""
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
    """A value that a step has, and the JSON that it was when it was read or last written."""

    value: Any
    was: Json


class StepStateView:
    """What one step has read and written: it gets copies of its own, and what it changes in place
    counts as written."""

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
        """A copy of the value, or `default`; raises KeyError where there is neither.

        What is changed in place in a copy that is followed counts as written.
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
        """Write the value as it is now.

        Raises:
            SerializationError: it cannot be stored; the message names the key and the type.
        """
        self._write_back(key)
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        self._write(key, encoded)
        self._hold(key, value, encoded)

    def last(self, key: str) -> Any:
        """A copy of the value as this step has last read or written it; KeyError where there is
        none. What others have written since is not in it: the two are merged."""
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
        """Write the value, unless it equals the known one, of which it is a changed copy."""
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
        """Hold a copy that the step has: beside the others that it has, or in their place."""
        if isinstance(was, (dict, list)):
            others = self._copies_about(key) if are_others_left else ()
            self._held[key] = [*others, _Copy(value, was)]
        elif self._held:
            self._held.pop(key, None)

    def _copies_about(self, key: str) -> list[_Copy]:
        """The copies that the step still has: one that it has let go of will not be changed."""
        return [copy for copy in self._held.get(key, ()) if getrefcount(copy.value) > OURS]

    def _write_back(self, key: str) -> None:
        """Write what has been changed in place since it was read or written."""
        for copy in self._held.get(key, ()):
            encoded = self._serializer.encode(copy.value, f"state[{key!r}]")
            if not same(encoded, copy.was):
                self._known[key] = copy.was
                self._write(key, encoded)
                copy.was = encoded
