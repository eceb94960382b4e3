"""The state of a context for whoever holds it, outside of steps."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.merging import ABSENT

if TYPE_CHECKING:
    from cairn.engine.context import Context

MISSING: Any = ...


class RestingState:
    """What the run that ended last has left, and what whoever holds the context has written; while
    a run is under way, what its steps have written so far, to read."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._ctx = ctx
        self._serializer = ctx._workflow.graph.serializer

    def keys(self) -> list[str]:
        """The keys there are."""
        live = self._ctx._live_state()
        return list(self._ctx._state) if live is None else live.keys()

    def get(self, key: str, default: Any = MISSING, *, follow: bool = True) -> Any:  # noqa: ARG002
        """A copy of the value, or `default`; KeyError where there is neither."""
        live = self._ctx._live_state()
        found = self._ctx._state.get(key, ABSENT) if live is None else live.read(key)
        if found is not ABSENT:
            return self._serializer.decode(found)
        if default is MISSING:
            raise KeyError(key)
        return default

    def set(self, key: str, value: Any) -> None:
        """Write the value as it is now."""
        self._check()
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        self._ctx._state = self._ctx._state.set(key, encoded)

    def last(self, key: str) -> Any:
        """As `get`: nobody else can have changed it."""
        return self.get(key)

    def known(self) -> Mapping[str, Any]:
        """All that there is."""
        return self._ctx._state

    def update(self, key: str, value: Any, known: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Write the value: nobody else can have changed it."""
        self.set(key, value)

    def editing(self) -> asyncio.Lock:
        """Held by one edit of the whole state at a time."""
        return self._ctx._editing

    def delete(self, key: str) -> None:
        """Take the key away."""
        self._check()
        self._ctx._state = self._ctx._state.delete(key)

    def _check(self) -> None:
        if self._ctx.is_running:
            raise WorkflowRuntimeError(
                "A run is under way in this context: only its steps can write to it now."
            )
