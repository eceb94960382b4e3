"""Requests about the streams of runs."""

import asyncio
import time
from collections.abc import AsyncIterator
from uuid import UUID

from cairn.errors import NotFound, Unavailable
from cairn.executor.notifier import Notifier
from cairn.store import stream
from cairn.store.database import Database
from cairn.store.positions import Position
from cairn.store.stream import StreamPage

AT_ONCE = 200
"""Entries that a watcher is given at once, at most."""

LOOK_SECONDS = 1.0
"""Between two looks at a run that another process drives."""

Read = tuple[UUID, Position | None, int]


class StreamRequests:
    """The requests about the streams of runs.

    Watchers that stand at the same position share one read.
    """

    def __init__(self, database: Database, notifier: Notifier, heartbeat_seconds: float) -> None:
        self._database = database
        self._notifier = notifier
        self._heartbeat_seconds = heartbeat_seconds
        self._reads: dict[Read, asyncio.Task[StreamPage]] = {}

    async def page(self, run_id: UUID, after: Position | None, limit: int) -> StreamPage:
        """The entries of a run's stream after a position.

        Raises:
            NotFound: there is no such run.
        """
        key = run_id, after, limit
        reading = self._reads.get(key)
        if reading is None:
            read = self._database.read(stream.page, run_id, after, limit)
            reading = self._reads[key] = asyncio.ensure_future(read)
            reading.add_done_callback(lambda _: self._reads.pop(key))
        return await asyncio.shield(reading)

    async def attempts(self, run_id: UUID, after: Position | None, limit: int) -> StreamPage:
        """The failed attempts of a run after a position, oldest first.

        Raises:
            NotFound: there is no such run.
        """
        return await self._database.read(stream.attempts, run_id, after, limit)

    def check_room(self) -> None:
        """Check that one more client may watch a run.

        Raises:
            Unavailable: too many clients wait already.
        """
        if not self._notifier.has_room:
            raise Unavailable(
                "Too many clients wait for runs already. Try again soon, or raise "
                "CAIRN_MAX_WAITERS."
            )

    async def follow(
        self, run_id: UUID, after: Position | None
    ) -> AsyncIterator[StreamPage | None]:
        """The stream of a run, page by page as it grows, until the run ends or is deleted.

        Yields `None` as a sign of life, each time that nothing has come for a while.

        Args:
            run_id: the run's id.
            after: the position to begin after; `None` for the begin.
        """
        last = time.monotonic()
        with self._notifier.following(run_id):
            while not self._notifier.closed:
                notified = self._notifier.subscribe(run_id)  # before the stream is read
                try:
                    page = await self.page(run_id, after, AT_ONCE)
                    if not page.items and not page.is_over:
                        left = self._heartbeat_seconds - (time.monotonic() - last)
                        await asyncio.wait([notified], timeout=max(0, min(LOOK_SECONDS, left)))
                except NotFound:
                    return
                finally:
                    notified.cancel()
                if page.items:
                    after, last = page.items[-1].position, time.monotonic()
                    yield page
                if page.is_over:
                    return
                if time.monotonic() - last >= self._heartbeat_seconds:
                    last = time.monotonic()
                    yield None
