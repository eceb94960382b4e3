"""A ledger: a small storage with every capability, and one place for each thing to go wrong."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from cairn.conformance import Capability, KeptCheckpoint, KeptRun, Opened
from cairn.engine.core.records import ENDED, Failure, Head, Record, Status
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.ids import new_id
from cairn.engine.runtime.journal import HeadMoved
from cairn.engine.values.sealed import SealedEvent


class Commit(NamedTuple):
    """All that `append` was given, and the writer's number: 1 for the first that has the run."""

    run: UUID
    writer: int
    records: Sequence[Record]
    status: Status
    failure: Failure | None


class Ledger:
    """Keeps runs in memory, and commits in the next turn of the event loop."""

    at_once = False

    def __init__(self) -> None:
        self.runs: dict[UUID, KeptRun] = {}
        self.origins: dict[UUID, KeptCheckpoint] = {}
        self.owners: dict[UUID, int] = {}
        self._due: list[tuple[Commit, asyncio.Future[None]]] = []

    @property
    def lacks(self) -> Mapping[Capability, str]:
        return {}

    async def begin(self, start: SealedEvent, origin: UUID | None = None) -> UUID:
        run = new_id()
        if origin is not None:
            every = [it for kept in self.runs.values() for it in kept.checkpoints]
            [self.origins[run]] = [it for it in every if it.id == origin]
        self.runs[run] = KeptRun(status="queued")
        return run

    async def open(self, run: UUID) -> Opened:
        writer = self.owners[run] = self.owners.get(run, 0) + 1
        journal = LedgerJournal(self, run, writer)
        if self.runs[run].checkpoints:
            last = self.runs[run].checkpoints[-1]
            return Opened(journal, last.snapshot, Head(last.id, last.seq))
        if run in self.origins:
            return Opened(journal, self.origins[run].snapshot, Head(self.origins[run].id))
        return Opened(journal, Snapshot(), Head())

    async def tell(self, run: UUID, event: SealedEvent) -> UUID:
        message = new_id()
        kept = self.runs[run]
        self.runs[run] = kept._replace(unread=[*kept.unread, message])
        return message

    async def read(self, run: UUID) -> KeptRun:
        return self.runs[run]

    def put(self, commit: Commit) -> asyncio.Future[None]:
        """Commit in the next turn of the loop, with all that is put until then."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        if not self._due:
            loop.call_soon(self._settle)
        self._due.append((commit, done))
        return done

    def _settle(self) -> None:
        due, self._due = self._due, []
        for commit, done in due:
            if done.cancelled():
                self.take_back(commit)
        self.settle([(commit, done) for commit, done in due if not done.cancelled()])

    def take_back(self, commit: Commit) -> None:
        """Write nothing of a commit that was cancelled before it began."""

    def settle(self, due: Sequence[tuple[Commit, asyncio.Future[None]]]) -> None:
        """Commit each by itself, and answer."""
        for commit, done in due:
            try:
                self.check(commit)
            except HeadMoved as error:
                done.set_exception(error)
            else:
                self.write(commit)
                done.set_result(None)

    def check(self, commit: Commit) -> None:
        """Refuse the commit of a writer that was overtaken."""
        kept = self.runs[commit.run]
        if self.owners[commit.run] != commit.writer:
            raise HeadMoved("The run belongs to another process.")
        if kept.status in ENDED:
            raise HeadMoved("The run has ended.")
        taken = {it.seq for it in kept.checkpoints}
        if any(record.seq in taken for record in commit.records):
            raise HeadMoved("The run has moved on.")

    def write(self, commit: Commit) -> None:
        """Write the commit, all at once."""
        run, _, records, status, failure = commit
        kept = self.runs[run]
        heard = {record.message for record in records}
        new = [KeptCheckpoint.of(record) for record in records]
        self.runs[run] = KeptRun(
            [*kept.checkpoints, *new],
            status,
            failure,
            records[-1].snapshot.stopped if records else kept.stopped,
            [it for it in kept.unread if it not in heard],
        )


class LedgerJournal:
    """One writer's journal of one run in a ledger."""

    def __init__(self, ledger: Ledger, run: UUID, writer: int) -> None:
        self._ledger, self._run, self._writer = ledger, run, writer

    @property
    def commits_at_once(self) -> bool:
        return self._ledger.at_once

    def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> asyncio.Future[None]:
        return self._ledger.put(Commit(self._run, self._writer, list(records), status, failure))
