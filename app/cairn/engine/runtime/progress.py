"""Progress: advances a run by facts, commits these, and applies the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar
from uuid import UUID

from cairn.engine.core.advance import advance
from cairn.engine.core.facts import Fact
from cairn.engine.core.records import ENDED, End, Head, Record, Status, record
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.ids import new_number
from cairn.engine.runtime.journal import Journal
from cairn.engine.runtime.step_workers import StepWorkers

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)

News = tuple[Fact, S | None, UUID | None]
"""An uncommitted fact, the attempt that reported the fact, and the id of an inbox message."""


class Advanced(NamedTuple, Generic[S]):
    """News, and the records to commit.

    Attributes:
        news: facts and ends, oldest first.
        records: one for each fact up to the end of the run. Later news are dropped.
        status: the status of the run after the records.
        end: the reason of the end, if the run ends without a stop event.
    """

    news: Sequence[News[S] | End]
    records: Sequence[Record]
    status: Status
    end: End | None


class Follower(Protocol[S_contra]):
    """The receiver of committed facts."""

    def apply(self, source: S_contra | None, entry: Record, has_ended: bool) -> None:
        """Start what follows from a committed fact.

        Args:
            source: the attempt that reported the fact; `None` for an event from outside.
            entry: the fact, and the checkpoint after the fact.
            has_ended: true if the run has ended with this commit.
        """

    def rests(self) -> None:
        """Take note that nothing is left to do but wait."""

    def is_over(self, status: Status) -> bool:
        """True if nothing is left to do here for a run with this status."""


class Progress(Generic[S]):
    """The position of a run, and its way on: news are queued, committed, then applied.

    Attributes:
        run: the run's id.
        snapshot: the run as of its newest committed checkpoint.
        status: the run's status as of the last commit; `queued` before the first.
        end: the reason of the end, unless the run completed.
        context: the context variables of the code that made this object.
    """

    def __init__(
        self,
        journal: Journal,
        routes: Routes,
        run: UUID,
        snapshot: Snapshot,
        head: Head,
        workers: StepWorkers,
        follower: Follower[S],
    ) -> None:
        self.run = run
        self.snapshot = snapshot
        self.status: Status = "queued"
        self.end: End | None = None
        self._journal = journal
        self._routes = routes
        self._parent, self._seq = head.number, head.seq
        self._workers = workers
        self._follower: Follower[S] | None = follower
        self._news: list[News[S] | End] = []
        self._is_busy = True  # until `drive`
        self._commit: asyncio.Future[Any] | None = None  # the newest
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._rested: list[asyncio.Future[None]] = []
        self.context = copy_context()  # for callbacks of commits; each step has a copy

    async def rest(self) -> None:
        """Wait until nothing is under way, or the run is over."""
        if not self._over.done():
            rested = self._loop.create_future()
            self._rested.append(rested)
            self.wake()
            await asyncio.wait([rested, self._over], return_when=asyncio.FIRST_COMPLETED)

    def wake(self, *, at_once: bool = False) -> None:
        """Move the run on, in the next turn of the event loop or at once.

        A call does nothing while a turn is due, or a commit is under way: all news queued until
        then are committed together.
        """
        if self._is_busy or self._over.done():
            return
        self._is_busy = True
        if at_once:
            self._advance_and_commit()
        else:
            self._loop.call_soon(self._advance_and_commit, context=self.context)

    @property
    def has_news(self) -> bool:
        """True if news are queued that are not committed."""
        return bool(self._news)

    def put(self, news: News[S] | End, *, at_once: bool = False) -> None:
        """Queue news, which are committed soon.

        Args:
            news: a fact with its source, or the end of the run.
            at_once: whether to commit within this call, if the journal commits at once. Otherwise,
                all news of one turn of the event loop share a commit.
        """
        self._news.append(news)
        self.wake(at_once=at_once and self._journal.commits_at_once)

    async def drive(self) -> None:
        """Advance the run, commit and apply, until nothing is left to do here.

        Raises:
            HeadMoved: the run has ended, or goes on in another process.
            Exception: the journal could not commit.
        """
        self._advance_and_commit()
        await self._over

    def stop(self) -> None:
        """Apply nothing more, and take the newest commit back unless the journal has begun it."""
        if self._commit is not None:
            self._commit.cancel()
        self._follower = None  # breaks a cycle that the garbage collector would have to find

    def _advance_and_commit(self) -> None:
        """Advance the run by the news, commit, and apply the commit, until no news are left."""
        workers = self._workers
        try:
            while not self._over.done():
                stands: Status = "running" if workers.working or workers.queued else "waiting"
                if self.status in ENDED or (self.status == stands and not self._news):
                    self._is_busy = False
                    self._settle()
                    return
                news, self._news = self._news, []
                advanced = self._advance(news, stands)
                failure = None if advanced.end is None else advanced.end.failure
                commit = self._journal.append(advanced.records, advanced.status, failure)
                self._commit = commit
                if not commit.done():
                    committed = partial(self._committed, advanced)
                    commit.add_done_callback(committed, context=self.context)
                    return
                commit.result()
                self._apply(advanced)
        except BaseException as error:
            self._fail(error)

    def _committed(self, advanced: Advanced[S], commit: asyncio.Future[Any]) -> None:
        if commit.cancelled():
            self._over.cancel()
            return
        try:
            commit.result()
            if not self._over.done():  # else the run was let go: the next process reads the commit
                self._apply(advanced)
        except BaseException as error:
            self._fail(error)
        else:
            self._advance_and_commit()

    def _fail(self, error: BaseException) -> None:
        """Let go of the run: `drive` raises the error."""
        if not isinstance(error, Exception):
            self._over.cancel()
            raise error
        if not self._over.done():
            self._over.set_exception(error)

    def _advance(self, news: Sequence[News[S] | End], stands: Status) -> Advanced[S]:
        """Compute the records of the news.

        Args:
            news: facts and ends, oldest first.
            stands: the status of the run without news.
        """
        snapshot, parent, seq = self.snapshot, self._parent, self._seq
        records: list[Record] = []
        for item in news:
            if isinstance(item, End):
                return Advanced(news, records, item.status, item)
            stands = "running"
            fact, _, message = item
            delta = advance(self._routes, snapshot, fact)
            number = new_number()
            if parent is not None and number <= parent:
                number = parent + 1  # the parent's machine has a clock that is ahead
            entry = record(number, self.run, parent, seq + 1, fact, message, snapshot, delta)
            records.append(entry)
            snapshot, parent, seq = entry.snapshot, entry.number, seq + 1
            if snapshot.stopped is not None:
                return Advanced(news, records, "completed", None)
        return Advanced(news, records, stands, None)

    def _apply(self, advanced: Advanced[S]) -> None:
        """Adopt the newest committed snapshot, and give the committed facts to the follower."""
        assert self._follower is not None
        news, records, status, end = advanced
        previous, self.status, self.end = self.status, status, end
        if records:
            newest = records[-1]
            self.snapshot, self._parent, self._seq = newest.snapshot, newest.number, newest.seq
        for item, entry in zip(news, records, strict=False):
            if not isinstance(item, End):  # an end has no record
                self._follower.apply(item[1], entry, status in ENDED)
        if status == "waiting" and previous != status:
            self._follower.rests()

    def _settle(self) -> None:
        """Let `drive` return if the run is over, and `rest` if no step works or is queued."""
        assert self._follower is not None
        if self._follower.is_over(self.status) and not self._over.done():
            self._over.set_result(None)
        if self._rested and self._workers.idle:
            rested, self._rested = self._rested, []
            for waiter in rested:
                waiter.set_result(None)
