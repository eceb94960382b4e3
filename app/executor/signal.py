"""Signal: how whoever waits for a run is woken when it has moved."""

import asyncio
from collections import defaultdict
from uuid import UUID


class Signal:
    """Wakes by run: who waits for one is not woken for another."""

    def __init__(self) -> None:
        self._waiting: defaultdict[UUID, set[asyncio.Future[None]]] = defaultdict(set)
        self._closed = False

    def expect(self, run_id: UUID) -> "asyncio.Future[None]":
        """What is done at the next ring for the run; made before looking whether to wait."""
        waiting = asyncio.get_running_loop().create_future()
        if self._closed:
            waiting.set_result(None)
        else:
            self._waiting[run_id].add(waiting)
            waiting.add_done_callback(lambda it: self._forget(run_id, it))
        return waiting

    def ring(self, run_id: UUID) -> None:
        """Wake all who wait for the run."""
        for waiting in list(self._waiting.get(run_id, ())):
            if not waiting.done():
                waiting.set_result(None)

    def close(self) -> None:
        """Wake everybody, and let nobody wait any more."""
        self._closed = True
        for run_id in list(self._waiting):
            self.ring(run_id)

    def _forget(self, run_id: UUID, waiting: "asyncio.Future[None]") -> None:
        others = self._waiting[run_id]
        others.discard(waiting)
        if not others:
            del self._waiting[run_id]
