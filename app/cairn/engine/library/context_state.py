"""The state of a context outside of steps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.language.serialization import Serializer
from cairn.engine.library.context_runs import ContextRuns
from cairn.engine.values.merging import ABSENT

MISSING: Any = ...


class ContextStateView:
    """The state of a context, for the program that holds the context.

    While a run is under way, the view shows the state that the run's steps see, to read only.
    Otherwise, the view shows the state of the last run's end, with the program's own changes.
    """

    def __init__(self, runs: ContextRuns[Any], serializer: Serializer) -> None:
        self._runs = runs
        self._serializer = serializer

    def keys(self) -> list[str]:
        """The keys that have a value."""
        live = self._runs.live
        return list(self._runs.state) if live is None else live.keys()

    def get(self, key: str, default: Any = MISSING, *, follow: bool = True) -> Any:  # noqa: ARG002
        """A copy of the value, or `default`.

        Raises:
            KeyError: the key has no value, and no default is given.
        """
        live = self._runs.live
        found = self._runs.state.get(key, ABSENT) if live is None else live.read(key)
        if found is not ABSENT:
            return self._serializer.decode(found)
        if default is MISSING:
            raise KeyError(key)
        return default

    def set(self, key: str, value: Any) -> None:
        """Write a copy of the value.

        Raises:
            WorkflowRuntimeError: a run is under way.
            SerializationError: the value cannot be stored; the message names the key and the type.
        """
        self._check()
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        self._runs.state = self._runs.state.set(key, encoded)

    def last(self, key: str) -> Any:
        """A copy of the value, as `get` returns. Outside of steps, no other writer is between."""
        return self.get(key)

    def known(self) -> Mapping[str, Any]:
        """The values by key, as JSON. Outside of steps, no other writer is between."""
        return self._runs.state

    def update(self, key: str, value: Any, known: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Write the value, as `set` does. Outside of steps, no other writer is between."""
        self.set(key, value)

    def editing(self) -> asyncio.Lock:
        """The lock for edits of the whole state."""
        return self._runs.editing

    def delete(self, key: str) -> None:
        """Delete the key.

        Raises:
            WorkflowRuntimeError: a run is under way.
        """
        self._check()
        self._runs.state = self._runs.state.delete(key)

    def _check(self) -> None:
        if self._runs.is_running:
            raise WorkflowRuntimeError(
                "A run is under way in this context: only its steps can write to it now."
            )
