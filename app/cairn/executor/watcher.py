"""Watcher: reads the present view of a run, or waits for a later one."""

import asyncio
import time
from collections.abc import Callable
from uuid import UUID

from cairn.engine.core.records import ENDED
from cairn.executor.notifier import Notifier
from cairn.executor.worker import Worker
from cairn.store import run_views, standings
from cairn.store.database import Database
from cairn.store.run_views import RunView
from cairn.store.standings import RunStanding

IsDue = Callable[[RunView], bool]


class Watcher:
    """The reader of run views: from the memory of this process, or else from the database.

    Clients that wait for runs are answered three times as fast from memory.
    """

    def __init__(self, database: Database, worker: Worker, notifier: Notifier) -> None:
        self._database = database
        self._worker = worker
        self._notifier = notifier

    async def find(self, run_id: UUID) -> RunView:
        """The present view of the run.

        Raises:
            NotFound: there is no such run.
        """
        known = self._worker.view(run_id)
        return await self._database.read(run_views.find, run_id) if known is None else known

    async def standing(self, run_id: UUID) -> RunStanding:
        """The present standing of the run, without reading a payload.

        Raises:
            NotFound: there is no such run.
        """
        known = self._worker.view(run_id)
        if known is None:
            return await self._database.read(standings.of_run, run_id)
        return RunStanding(known.workflow, known.status, known.checkpoint_count, known.annotation)

    @property
    def has_room(self) -> bool:
        """True if one more client may wait for a run."""
        return self._notifier.has_room

    async def wait(self, run_id: UUID, seconds: float, *, is_new: bool = False) -> RunView:
        """The view of the run at its end, or when the run begins to wait for an event from outside.

        Args:
            run_id: the run's id.
            seconds: the longest wait, after which the present view is returned.
            is_new: whether to return at once if the run waits already: true for a new run.

        Raises:
            NotFound: there is no such run.
        """

        def due(first: RunView) -> IsDue:
            before = -1 if is_new or first.status != "waiting" else first.checkpoint_count
            return lambda run: (
                run.status in ENDED or (run.status == "waiting" and run.checkpoint_count > before)
            )

        return await self._wait(run_id, seconds, due)

    async def wait_for_checkpoint(self, run_id: UUID, seconds: float, after_seq: int) -> RunView:
        """The view of the run once it has a checkpoint with a greater `seq`, or has ended.

        Args:
            run_id: the run's id.
            seconds: the longest wait, after which the present view is returned.
            after_seq: the `seq`.

        Raises:
            NotFound: there is no such run.
        """

        def has_moved(run: RunView) -> bool:
            return run.status in ENDED or run.checkpoint_count > after_seq

        with self._notifier.following(run_id):
            return await self._wait(run_id, seconds, lambda _: has_moved)

    async def _wait(self, run_id: UUID, seconds: float, due: Callable[[RunView], IsDue]) -> RunView:
        """The view of the run once a view is due.

        Args:
            run_id: the run's id.
            seconds: the longest wait, after which the present view is returned.
            due: given the first view, returns the condition of the view to return.

        Raises:
            NotFound: there is no such run.
        """
        end = time.monotonic() + seconds
        notified = self._notifier.subscribe(run_id)
        try:
            run = await self.find(run_id)
            is_due = due(run)
            while not is_due(run) and (left := end - time.monotonic()) > 0:
                await asyncio.wait([notified], timeout=left)
                if self._notifier.closed or not notified.done():
                    return await self.find(run_id)
                view = notified.result()
                if view is not None and is_due(view):
                    return view
                notified = self._notifier.subscribe(run_id)  # before the run is read
                run = self._worker.view(run_id) or view or await self.find(run_id)
            return run
        finally:
            notified.cancel()
