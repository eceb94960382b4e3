"""Slots: how many runs are carried forward at once."""

import asyncio
from collections import deque

from cairn.engine.core.records import Status


class Slots:
    """A number of slots, handed out in the order they were asked for."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> bool:
        """Whether the next one who asks has a slot at once."""
        return self._free > 0 and not self._queue

    async def take(self) -> None:
        """Have a slot, once one is free."""
        if self._free > 0 and not self._queue:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # its turn came as it went away
            raise

    def take_at_once(self) -> None:
        """Have a slot whether or not one is free: for a run that goes on after a wait."""
        self._free -= 1

    def give_back(self) -> None:
        """Let the next one have it."""
        self._free += 1
        while self._free > 0 and self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)


class Slot:
    """One run's slot: given back while it waits."""

    def __init__(self, *slots: Slots) -> None:
        """Of a slot that was taken, one of each of these."""
        self._slots = slots
        self._held = True

    def follow(self, status: Status) -> None:
        """The run stands so now."""
        if status == "waiting":
            self.leave()
        elif status == "running" and not self._held:
            self._held = True
            for slots in self._slots:
                slots.take_at_once()

    def leave(self) -> None:
        """Give it back, if it is held."""
        if self._held:
            self._held = False
            for slots in self._slots:
                slots.give_back()
