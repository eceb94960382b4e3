"""Signal: how whoever waits for a run is woken when it has moved."""

import asyncio
from collections import defaultdict
from uuid import UUID

from app.store.seen import Seen

Ring = asyncio.Future[Seen | None]


class Signal:
    """Wakes by run: who waits for one is not woken for another."""

    def __init__(self) -> None:
        self._waiting: defaultdict[UUID, set[Ring]] = defaultdict(set)
        self._closed = False

    def expect(self, run_id: UUID) -> Ring:
        """What is done at the next ring for the run; made before looking whether to wait."""
        waiting = asyncio.get_running_loop().create_future()
        if self._closed:
            waiting.set_result(None)
        else:
            self._waiting[run_id].add(waiting)
            waiting.add_done_callback(lambda it: self._forget(run_id, it))
        return waiting

    def ring(self, run_id: UUID, seen: Seen | None = None) -> None:
        """Wake all who wait for the run; they need not look at it where they are shown it."""
        for waiting in list(self._waiting.get(run_id, ())):
            if not waiting.done():
                waiting.set_result(seen)

    def close(self) -> None:
        """Wake everybody, and let nobody wait any more."""
        self._closed = True
        for run_id in list(self._waiting):
            self.ring(run_id)

    def _forget(self, run_id: UUID, waiting: Ring) -> None:
        others = self._waiting[run_id]
        others.discard(waiting)
        if not others:
            del self._waiting[run_id]
