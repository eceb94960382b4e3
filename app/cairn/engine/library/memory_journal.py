"""MemoryJournal: the checkpoints of a context in this process's memory, for use as a library."""

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
    """Keeps the facts of all the runs in one context.

    The change of a fact follows from the fact, and is computed when a caller reads the records.
    Most checkpoints are never read, and every object kept slows Python's garbage collector down.
    """

    def __init__(self, routes: Callable[[], Routes]) -> None:
        self._find_routes = routes
        self._routes: dict[UUID, Routes] = {}  # as they were when the run began
        self._facts: list[
            tuple[Any, ...]
        ] = []  # records without what follows, of which nobody asked
        self._made: list[Record] = []
        self._stands: dict[UUID, Snapshot] = {}  # how each run stands after what is made
        self._committed: asyncio.Future[None] | None = None  # one for all commits

    @property
    def commits_at_once(self) -> bool:
        """True: `append` has kept the records when it returns."""
        return True

    def append(
        self,
        records: Sequence[Record],
        status: Status,  # noqa: ARG002  # a handler knows how its run stands
        failure: Failure | None = None,  # noqa: ARG002
    ) -> asyncio.Future[None]:
        """Keep the records; the future is done."""
        for record in records:
            if record.run in self._routes:
                self._facts.append(record[:-2])
            else:  # from its first one on, the others follow
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
            record = kept if isinstance(kept, Record) else self._whole(*kept)
            self._stands[record.run] = record.snapshot
            self._made.append(record)
        return self._made

    def _whole(self, *kept: Any) -> Record:
        run, fact = kept[RUN], kept[FACT]
        before = self._stands[run]
        delta = advance(self._routes[run], before, fact)
        return Record._make((*kept, delta, before.after(delta)))


RUN, FACT = Record._fields.index("run"), Record._fields.index("fact")
