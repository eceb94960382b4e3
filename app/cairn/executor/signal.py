"""Signal: how whoever waits for a run is woken when it has moved."""

import asyncio
from collections import defaultdict
from uuid import UUID

from cairn.store.seen import Seen

Ring = asyncio.Future[Seen | None]


class Signal:
    """Wakes by run: who waits for one is not woken for another."""

    def __init__(self, max_waiters: int) -> None:
        self.closed = False
        self._max_waiters = max_waiters
        self._waiting: defaultdict[UUID, set[Ring]] = defaultdict(set)
        self._waiters = 0

    @property
    def has_room(self) -> bool:
        """Whether one more may wait."""
        return self._waiters < self._max_waiters

    @property
    def expected(self) -> list[UUID]:
        """The runs that somebody waits for."""
        return list(self._waiting)

    def expect(self, run_id: UUID) -> Ring:
        """What is done at the next ring for the run; made before looking whether to wait."""
        waiting = asyncio.get_running_loop().create_future()
        if self.closed:
            waiting.set_result(None)
        else:
            self._waiting[run_id].add(waiting)
            self._waiters += 1
            waiting.add_done_callback(lambda it: self._forget(run_id, it))
        return waiting

    def ring(self, run_id: UUID, seen: Seen | None = None) -> None:
        """Wake all who wait for the run; they need not look at it where they are shown it."""
        for waiting in list(self._waiting.get(run_id, ())):
            if not waiting.done():
                waiting.set_result(seen)

    def close(self) -> None:
        """Wake everybody, and let nobody wait any more."""
        self.closed = True
        for run_id in list(self._waiting):
            self.ring(run_id)

    def _forget(self, run_id: UUID, waiting: Ring) -> None:
        others = self._waiting[run_id]
        others.discard(waiting)
        self._waiters -= 1
        if not others:
            del self._waiting[run_id]
