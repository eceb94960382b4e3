"""Watcher: answers how a run stands, at once or when that has changed."""

import asyncio
import time
from uuid import UUID

from cairn.engine.core.records import ENDED
from cairn.executor.notifier import Notifier
from cairn.executor.worker import Worker
from cairn.store import run_views
from cairn.store.database import Database
from cairn.store.run_views import RunView


class Watcher:
    """The one answerer of how a run stands: this process's memory, or else the database."""

    def __init__(self, database: Database, worker: Worker, notifier: Notifier) -> None:
        self._database = database
        self._worker = worker
        self._notifier = notifier

    async def find(self, run_id: UUID) -> RunView:
        """The run as it stands.

        Raises:
            NotFound: there is no such run.
        """
        known = self._worker.view(run_id)
        return await self._database.read(run_views.find, run_id) if known is None else known

    @property
    def has_room(self) -> bool:
        """True if one more client may wait for a run."""
        return self._notifier.has_room

    async def wait(self, run_id: UUID, seconds: float, *, is_new: bool = False) -> RunView:
        """The run as it stands once it ends, or begins to wait for an event from outside.

        Args:
            run_id: the run's id.
            seconds: the longest wait; the run as it stands then is returned.
            is_new: whether a run that waits already has begun to wait only now.

        Raises:
            NotFound: there is no such run.
        """
        end = time.monotonic() + seconds
        notified = self._notifier.subscribe(run_id)
        try:
            run = await self.find(run_id)
            waits_before = -1 if is_new or run.status != "waiting" else run.checkpoint_count
            while not _has_come_to(run, waits_before) and (left := end - time.monotonic()) > 0:
                await asyncio.wait([notified], timeout=left)
                if self._notifier.closed or not notified.done():
                    return await self.find(run_id)
                told = notified.result()
                if told is not None and _has_come_to(told, waits_before):
                    return told
                notified = self._notifier.subscribe(run_id)  # before the run is looked at
                run = self._worker.view(run_id) or told or await self.find(run_id)
            return run
        finally:
            notified.cancel()


def _has_come_to(run: RunView, waits_before: int) -> bool:
    """True if the run has ended, or waits for an event that it did not wait for before."""
    return run.status in ENDED or (run.status == "waiting" and run.checkpoint_count > waits_before)
