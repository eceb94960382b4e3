"""MemoryJournal: the checkpoints of a context, in the memory of this process."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from cairn.engine.core.advance import advance
from cairn.engine.core.records import Failure, Record, Status
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.runtime.journal import committed


class MemoryJournal:
    """A journal of all the runs in one context.

    The journal keeps facts alone. `records` computes deltas and snapshots from these. Most
    checkpoints are never read, and every object in memory slows Python's garbage collector down.
    """

    def __init__(self, routes: Callable[[], Routes]) -> None:
        self._find_routes = routes
        self._routes: dict[UUID, Routes] = {}  # of each run, at its begin
        # A run's first record, then the later ones without delta and snapshots.
        self._facts: list[tuple[Any, ...]] = []
        self._records: list[Record] = []  # complete
        self._snapshots: dict[UUID, Snapshot] = {}  # after the newest complete record of each run
        self._committed: asyncio.Future[None] | None = None  # one for all commits

    @property
    def commits_at_once(self) -> bool:
        """True: the future that `append` returns is done."""
        return True

    def append(
        self,
        records: Sequence[Record],
        status: Status,  # noqa: ARG002  # a handler has the status of its run
        failure: Failure | None = None,  # noqa: ARG002
    ) -> asyncio.Future[None]:
        """Keep the records, and return a future that is done."""
        for record in records:
            if record.run in self._routes:
                self._facts.append(record[:BEFORE])
            else:  # whole: the later ones are computed from this one
                self._routes[record.run] = self._find_routes()
                self._facts.append(record)
        if self._committed is None:
            self._committed = committed()
        return self._committed

    @property
    def records(self) -> list[Record]:
        """The checkpoints of all the runs, oldest first."""
        facts, self._facts = self._facts, []
        for kept in facts:
            record = kept if isinstance(kept, Record) else self._completed(*kept)
            self._snapshots[record.run] = record.snapshot
            self._records.append(record)
        return self._records

    def _completed(self, *kept: Any) -> Record:
        """A record, completed by its delta and its snapshots."""
        run, fact = kept[RUN], kept[FACT]
        before = self._snapshots[run]
        delta = advance(self._routes[run], before, fact)
        return Record._make((*kept, before, delta, before.after(delta)))


RUN, FACT, BEFORE = map(Record._fields.index, ("run", "fact", "before"))
