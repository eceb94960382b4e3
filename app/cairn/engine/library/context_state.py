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

    While a run is under way, the state is the one that its steps see, and can only be read.
    Otherwise it is the state that the last run has left, with the program's own changes.
    """

    def __init__(self, runs: ContextRuns[Any], serializer: Serializer) -> None:
        self._runs = runs
        self._serializer = serializer

    def keys(self) -> list[str]:
        """The keys there are."""
        live = self._runs.live
        return list(self._runs.state) if live is None else live.keys()

    def get(self, key: str, default: Any = MISSING, *, follow: bool = True) -> Any:  # noqa: ARG002
        """A copy of the value, or `default`; KeyError where there is neither."""
        live = self._runs.live
        found = self._runs.state.get(key, ABSENT) if live is None else live.read(key)
        if found is not ABSENT:
            return self._serializer.decode(found)
        if default is MISSING:
            raise KeyError(key)
        return default

    def set(self, key: str, value: Any) -> None:
        """Write the value as it is in this moment."""
        self._check()
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        self._runs.state = self._runs.state.set(key, encoded)

    def last(self, key: str) -> Any:
        """As `get`: outside of steps no other writer is in between."""
        return self.get(key)

    def known(self) -> Mapping[str, Any]:
        """All that there is."""
        return self._runs.state

    def update(self, key: str, value: Any, known: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Write the value: outside of steps no other writer is in between."""
        self.set(key, value)

    def editing(self) -> asyncio.Lock:
        """Held by one edit of the whole state at a time."""
        return self._runs.editing

    def delete(self, key: str) -> None:
        """Take the key away."""
        self._check()
        self._runs.state = self._runs.state.delete(key)

    def _check(self) -> None:
        if self._runs.is_running:
            raise WorkflowRuntimeError(
                "A run is under way in this context: only its steps can write to it now."
            )
