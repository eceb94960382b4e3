"""Progress: what happens in a run is committed first, and acted on then."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, Generic, Protocol, TypeVar
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
"""A fact that is not committed yet; and the attempt, or the message, that it came of."""


class Follower(Protocol[S_contra]):
    """Acts on what is committed."""

    def follow(self, source: S_contra | None, entry: Record, has_ended: bool) -> None:
        """Act on a fact that is committed.

        Args:
            source: the attempt that the fact came of, if it came of one.
            has_ended: whether the run has ended by now.
        """

    def rests(self) -> None:
        """Nothing is left to do but wait."""

    def is_over(self, status: Status) -> bool:
        """Whether nothing more is to be done here for a run that stands so."""


class Progress(Generic[S]):
    """Where a run stands, and how it moves on: what happens is queued, committed, then followed.

    Attributes:
        run: the run's id.
        snapshot: the run as of its newest committed checkpoint.
        status: how the run stood when it was last written.
        end: why it ended, unless it completed.
        context: the variables of the context that the run was begun in.
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
        self._is_moving = True  # nobody may move it before it has begun
        self._commit: asyncio.Future[Any] | None = None  # the newest
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._rested: list[asyncio.Future[None]] = []
        self.context = copy_context()  # for what follows from a commit; each step has a copy

    async def rest(self) -> None:
        """Wait until nothing is under way, or the run is over."""
        if not self._over.done():
            rested = self._loop.create_future()
            self._rested.append(rested)
            self.nudge()
            await asyncio.wait([rested, self._over], return_when=asyncio.FIRST_COMPLETED)

    def nudge(self, *, at_once: bool = False) -> None:
        """Move the run on, in the next turn of the event loop or at once.

        A call does nothing while a turn is due, or a commit is under way: the news of all calls
        until then are committed together.
        """
        if self._is_moving or self._over.done():
            return
        self._is_moving = True
        if at_once:
            self._move_on()
        else:
            self._loop.call_soon(self._move_on, context=self.context)

    @property
    def has_news(self) -> bool:
        """Whether something is queued that is not committed."""
        return bool(self._news)

    def put(self, news: News[S] | End, *, at_once: bool = False) -> None:
        """Queue news, which are committed soon.

        Args:
            at_once: commit within this call, if the journal does so. News that come in one turn
                of the event loop share a commit otherwise.
        """
        self._news.append(news)
        self.nudge(at_once=at_once and self._journal.commits_at_once)

    async def begin(self) -> None:
        """Move the run on until nothing more is to be done here.

        Raises:
            HeadMoved: another process has moved the run on.
        """
        self._move_on()
        await self._over

    def stop(self) -> None:
        """Act on nothing more, and take back what is about to be committed, if it can be."""
        if self._commit is not None:
            self._commit.cancel()
        self._follower = None  # the two refer to each other, and would be left as garbage

    def _move_on(self) -> None:
        """Commit what has happened and act on it, until nothing is new."""
        workers = self._workers
        try:
            while not self._over.done():
                stands: Status = "running" if workers.working or workers.queued else "waiting"
                if self.status in ENDED or (self.status == stands and not self._news):
                    self._is_moving = False
                    self._look_around()
                    return
                news, self._news = self._news, []
                records, status, end = self._draw_up(news, stands)
                failure = None if end is None else end.failure
                self._commit = self._journal.append(records, status, failure)
                if not self._commit.done():
                    committed = partial(self._committed, news, records, status, end)
                    self._commit.add_done_callback(committed, context=self.context)
                    return
                self._commit.result()
                self._moved(news, records, status, end)
        except BaseException as error:
            self._break_off(error)

    def _committed(
        self,
        news: Sequence[News[S] | End],
        records: Sequence[Record],
        status: Status,
        end: End | None,
        commit: asyncio.Future[Any],
    ) -> None:
        if commit.cancelled():
            self._over.cancel()
            return
        try:
            commit.result()
            if not self._over.done():  # else it was let go: whoever takes it up finds this
                self._moved(news, records, status, end)
        except BaseException as error:
            self._break_off(error)
        else:
            self._move_on()

    def _break_off(self, error: BaseException) -> None:
        """Nothing more comes of it here; why is for whoever drives the run."""
        if not isinstance(error, Exception):
            self._over.cancel()
            raise error
        if not self._over.done():
            self._over.set_exception(error)

    def _draw_up(
        self, news: Sequence[News[S] | End], stands: Status
    ) -> tuple[list[Record], Status, End | None]:
        """What is to be committed of the news, and how the run stands then."""
        snapshot, parent, seq = self.snapshot, self._parent, self._seq
        records: list[Record] = []
        for item in news:
            if isinstance(item, End):
                return records, item.status, item
            stands = "running"
            fact, _, message = item
            delta = advance(self._routes, snapshot, fact)
            number = new_number()
            if parent is not None and number <= parent:
                number = parent + 1  # it was made by another machine, whose clock is ahead
            entry = record(number, self.run, parent, seq + 1, fact, message, snapshot, delta)
            records.append(entry)
            snapshot, parent, seq = entry.snapshot, entry.number, seq + 1
            if snapshot.stopped is not None:
                return records, "completed", None
        return records, stands, None

    def _moved(
        self,
        news: Sequence[News[S] | End],
        records: Sequence[Record],
        status: Status,
        end: End | None,
    ) -> None:
        """It is committed: what follows from it begins."""
        assert self._follower is not None
        was, self.status, self.end = self.status, status, end
        if records:
            newest = records[-1]
            self.snapshot, self._parent, self._seq = newest.snapshot, newest.number, newest.seq
        for item, entry in zip(news, records, strict=False):
            if not isinstance(item, End):  # which has no record
                self._follower.follow(item[1], entry, status in ENDED)
        if status == "waiting" and was != status:
            self._follower.rests()

    def _look_around(self) -> None:
        """Nothing is new: is it over, or at rest?"""
        assert self._follower is not None
        if self._follower.is_over(self.status) and not self._over.done():
            self._over.set_result(None)
        if self._rested and self._workers.idle:
            rested, self._rested = self._rested, []
            for waiter in rested:
                waiter.set_result(None)
