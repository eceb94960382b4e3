"""Notifier: wakes the clients that wait for a run, once the run has moved."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from cairn.store.run_views import RunView

Notified = asyncio.Future[RunView | None]


class Notifier:
    """The waiting clients, by run: a notification wakes those of one run alone.

    Attributes:
        closed: true while the service stops: each `subscribe` returns a future that is done.
    """

    def __init__(self, max_waiters: int) -> None:
        self.closed = False
        self._max_waiters = max_waiters
        self._waiting: defaultdict[UUID, set[Notified]] = defaultdict(set)
        self._followed: Counter[UUID] = Counter()  # clients that wait for the next checkpoint
        self._waiters = 0

    @property
    def has_room(self) -> bool:
        """True if one more client may wait."""
        return self._waiters < self._max_waiters

    @property
    def expected(self) -> list[UUID]:
        """The ids of the runs that a client waits for."""
        return list(self._waiting)

    @contextmanager
    def following(self, run_id: UUID) -> Iterator[None]:
        """Have the run's clients notified of all commits, not of ends and waits alone.

        A run that nobody follows costs one look at a dictionary for each commit.
        """
        self._followed[run_id] += 1
        try:
            yield
        finally:
            self._followed[run_id] -= 1
            if not self._followed[run_id]:
                del self._followed[run_id]

    def is_followed(self, run_id: UUID) -> bool:
        """True if a client waits for any checkpoint of the run."""
        return run_id in self._followed

    def subscribe(self, run_id: UUID) -> Notified:
        """A future that the next `notify(run_id)` resolves, to the run's view if the view is given.

        Subscribe before reading the run: a notification in between would be lost.
        """
        waiting = asyncio.get_running_loop().create_future()
        if self.closed:
            waiting.set_result(None)
        else:
            self._waiting[run_id].add(waiting)
            self._waiters += 1
            waiting.add_done_callback(partial(self._forget, run_id))
        return waiting

    def notify(self, run_id: UUID, view: RunView | None = None) -> None:
        """Wake all the clients that wait for the run.

        Args:
            run_id: the run's id.
            view: the present view of the run; without one, the clients read the database.
        """
        for waiting in list(self._waiting.get(run_id, ())):
            if not waiting.done():
                waiting.set_result(view)

    def close(self) -> None:
        """Wake all clients, and let none wait any more."""
        self.closed = True
        for run_id in list(self._waiting):
            self.notify(run_id)

    def _forget(self, run_id: UUID, waiting: Notified) -> None:
        others = self._waiting[run_id]
        others.discard(waiting)
        self._waiters -= 1
        if not others:
            del self._waiting[run_id]
