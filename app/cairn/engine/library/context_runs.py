"""The part that a context and the handlers of its runs share."""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from immutables import Map

from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.library.memory_journal import MemoryJournal
from cairn.engine.runtime.live_state import LiveState
from cairn.engine.values.extended_json import Json


class UnderWay(Protocol):
    """A run's handler, reduced to the needs of a context."""

    @property
    def snapshot(self) -> Snapshot | None:
        """The run's snapshot; `None` before the begin of a run that begins without one."""

    @property
    def live(self) -> LiveState | None:
        """The run's state, with uncommitted writes; `None` before the run has begun."""

    def cancelled(self) -> bool:
        """True if the run was cancelled, and has ended."""


H = TypeVar("H", bound=UnderWay)


class ContextRuns(Generic[H]):
    """The runs in one context, and the state that the last run has left.

    Attributes:
        journal: the checkpoints of the runs.
        state: the state at the end of the last run, with later changes from outside of steps.
        under_way: the handlers of the runs that have not ended.
        newest: the handler of the run that was started last.
        unfinished: the snapshot of a run that was under way when the context was written as a dict;
            `None` without such a run, and once a run has gone on from there.
        editing: a lock for edits of the whole state outside of steps.
    """

    def __init__(self, routes: Callable[[], Routes]) -> None:
        self.journal = MemoryJournal(routes)
        self.state: Map[str, Json] = Map()
        self.under_way: list[H] = []
        self.newest: H | None = None
        self.unfinished: Snapshot | None = None
        self.editing = asyncio.Lock()

    def begin(self, handler: H) -> None:
        """Add a run, which is under way from now on."""
        self.under_way.append(handler)
        self.newest = handler

    def end(self, handler: H) -> None:
        """Remove a run, which has ended, from those under way; a no-op the second time."""
        if handler in self.under_way:
            self.under_way.remove(handler)

    @property
    def is_running(self) -> bool:
        """True if a run is under way, or was when the context was written as a dict."""
        return bool(self.under_way) or self.unfinished is not None

    @property
    def live(self) -> LiveState | None:
        """The state of the newest run under way, with uncommitted writes; `None` without a run."""
        return self.under_way[-1].live if self.under_way else None

    def stand(self) -> tuple[Snapshot, bool]:
        """The context's snapshot, and true if a run is under way, or was cancelled last.

        A cancelled run can go on from its snapshot, once the context is read back from a dict.
        """
        if self.under_way:
            snapshot = self.under_way[-1].snapshot
            return (Snapshot(state=self.state) if snapshot is None else snapshot), True
        if self.unfinished is not None:
            return self.unfinished, True
        if self.newest is not None and self.newest.cancelled() and self.newest.snapshot:
            return self.newest.snapshot, True
        return Snapshot(state=self.state), False
