"""The state of a context while none of its runs is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.engine.errors import WorkflowRuntimeError

if TYPE_CHECKING:
    from app.engine.context import Context

MISSING: Any = ...


class RestingState:
    """What the run that ended last has left, and what whoever holds the context has written."""

    def __init__(self, ctx: Context[Any]) -> None:
        self._ctx = ctx
        self._serializer = ctx._workflow.graph.serializer

    def keys(self) -> list[str]:
        """The keys there are."""
        return list(self._ctx._state)

    def get(self, key: str, default: Any = MISSING, *, follow: bool = True) -> Any:  # noqa: ARG002
        """A copy of the value, or `default`; KeyError where there is neither."""
        if key in self._ctx._state or default is MISSING:
            return self._serializer.decode(self._ctx._state[key])
        return default

    def set(self, key: str, value: Any) -> None:
        """Write the value as it is now."""
        self._check()
        encoded = self._serializer.encode(value, f"state[{key!r}]")
        self._ctx._state = self._ctx._state.set(key, encoded)

    def update(self, key: str, value: Any) -> None:
        """Write the value: nobody else can have changed it."""
        self.set(key, value)

    def delete(self, key: str) -> None:
        """Take the key away."""
        self._check()
        self._ctx._state = self._ctx._state.delete(key)

    def _check(self) -> None:
        if self._ctx.is_running:
            raise WorkflowRuntimeError(
                "A run is under way in this context: only its steps can write to it now."
            )
