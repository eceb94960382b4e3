"""Progress: what happens in a run is committed first, and acted on then."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from cairn.engine.advance import advance
from cairn.engine.facts import Fact
from cairn.engine.ids import new_number
from cairn.engine.journal import ENDED, End, Head, Journal, Record, Status, record
from cairn.engine.routes import Routes
from cairn.engine.snapshot import Snapshot
from cairn.engine.turns import Turns

if TYPE_CHECKING:
    from cairn.engine.flight import Flight

News = tuple[Fact, "Flight | None", UUID | None]
"""A fact that is not committed yet; and the try at a delivery, or the message, that it came of."""


class Progress(ABC):
    """Where a run stands, and how it moves on.

    Attributes:
        snapshot: the run as of its newest committed checkpoint.
        status: how the run stood when it was last written.
        end: why it ended, unless it completed.
    """

    def __init__(
        self,
        journal: Journal,
        routes: Routes,
        run: UUID,
        snapshot: Snapshot,
        head: Head,
        turns: Turns,
    ) -> None:
        self.run = run
        self.snapshot = snapshot
        self.status: Status = "queued"
        self.end: End | None = None
        self._journal = journal
        self._routes = routes
        self._parent, self._seq = head.number, head.seq
        self._turns = turns
        self._news: list[News | End] = []
        self._is_moving = True  # nobody may move it before it has begun
        self._commit: asyncio.Future[Any] | None = None  # the newest, unless it was done at once
        self._loop = asyncio.get_running_loop()
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._rested: list[asyncio.Future[None]] = []
        self._context = copy_context()  # for what follows from a commit; each step has a copy

    async def rest(self) -> None:
        """Wait until nothing is under way, or the run is over."""
        if not self._over.done():
            rested = self._loop.create_future()
            self._rested.append(rested)
            self.nudge()
            await asyncio.wait([rested, self._over], return_when=asyncio.FIRST_COMPLETED)

    def nudge(self, *, at_once: bool = False) -> None:
        """Something has changed: look at it, soon or at once. Whoever has news before that is
        done leaves them to it."""
        if self._is_moving or self._over.done():
            return
        self._is_moving = True
        if at_once:
            self._move_on()
        else:
            self._loop.call_soon(self._move_on, context=self._context)

    def _put(self, news: News | End, *, at_once: bool = False) -> None:
        self._news.append(news)
        self.nudge(at_once=at_once)

    async def _begin(self) -> None:
        self._move_on()
        await self._over

    def _move_on(self) -> None:
        """Commit what has happened and act on it, until nothing is new."""
        turns = self._turns
        try:
            while not self._over.done():
                stands: Status = "running" if turns.working or turns.queued else "waiting"
                if self.status in ENDED or (self.status == stands and not self._news):
                    self._is_moving = False
                    self._look_around()
                    return
                news, self._news = self._news, []
                records, status, end = self._draw_up(news, stands)
                failure = None if end is None else end.failure
                self._commit = self._journal.append(records, status, failure)
                if self._commit is not None:
                    committed = partial(self._committed, news, records, status, end)
                    self._commit.add_done_callback(committed, context=self._context)
                    return
                self._moved(news, records, status, end)
        except BaseException as error:
            self._break_off(error)

    def _committed(
        self,
        news: Sequence[News | End],
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
        self, news: Sequence[News | End], stands: Status
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
        self, news: Sequence[News | End], records: Sequence[Record], status: Status, end: End | None
    ) -> None:
        """It is committed: what follows from it begins."""
        was, self.status, self.end = self.status, status, end
        if records:
            newest = records[-1]
            self.snapshot, self._parent, self._seq = newest.snapshot, newest.number, newest.seq
        for item, entry in zip(news, records, strict=False):
            if not isinstance(item, End):  # which has no record
                self._follow(item[1], entry, status in ENDED)
        if status == "waiting" and was != status:
            self._rests()

    def _look_around(self) -> None:
        """Nothing is new: is it over, or at rest?"""
        if self._is_over() and not self._over.done():
            self._over.set_result(None)
        if self._rested and self._turns.idle:
            rested, self._rested = self._rested, []
            for waiter in rested:
                waiter.set_result(None)

    @abstractmethod
    def _follow(self, flight: Flight | None, entry: Record, has_ended: bool) -> None:
        """Act on a fact that is committed."""

    @abstractmethod
    def _rests(self) -> None:
        """Nothing is left to do but wait."""

    @abstractmethod
    def _is_over(self) -> bool:
        """Whether nothing more is to be done here."""
