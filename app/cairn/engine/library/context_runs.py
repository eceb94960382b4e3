"""What a context and the handlers of its runs share."""

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
    """A run, as its context sees it."""

    @property
    def snapshot(self) -> Snapshot | None:
        """Where the run stands; `None` before it has begun."""

    @property
    def live(self) -> LiveState | None:
        """The state as the run's steps see it; `None` before it has begun."""

    def cancelled(self) -> bool:
        """Whether the run has ended because it was cancelled."""


H = TypeVar("H", bound=UnderWay)


class ContextRuns(Generic[H]):
    """The runs in one context, and what they have left there.

    Attributes:
        journal: their checkpoints.
        state: what the run that ended last has left.
        under_way: the handlers of those that have not ended.
        newest: the handler of the run that was started last.
        unfinished: where the run stood that was under way when the context was written as a dict,
            until another goes on with it.
        editing: held by one edit of the whole state at a time, outside of steps.
    """

    def __init__(self, routes: Callable[[], Routes]) -> None:
        self.journal = MemoryJournal(routes)
        self.state: Map[str, Json] = Map()
        self.under_way: list[H] = []
        self.newest: H | None = None
        self.unfinished: Snapshot | None = None
        self.editing = asyncio.Lock()

    def begin(self, handler: H) -> None:
        """A run begins."""
        self.under_way.append(handler)
        self.newest = handler

    def end(self, handler: H) -> None:
        """The run has ended."""
        if handler in self.under_way:
            self.under_way.remove(handler)

    @property
    def is_running(self) -> bool:
        """Whether a run is under way, or was when the context was written as a dict."""
        return bool(self.under_way) or self.unfinished is not None

    @property
    def live(self) -> LiveState | None:
        """The state as the steps of the run under way see it, if there is one."""
        return self.under_way[-1].live if self.under_way else None

    def stand(self) -> tuple[Snapshot, bool]:
        """Where the context stands, and whether a run is under way there."""
        if self.under_way:
            snapshot = self.under_way[-1].snapshot
            return (Snapshot(state=self.state) if snapshot is None else snapshot), True
        if self.unfinished is not None:
            return self.unfinished, True
        if self.newest is not None and self.newest.cancelled() and self.newest.snapshot:
            return self.newest.snapshot, True
        return Snapshot(state=self.state), False
