"""Slots: a bound on the runs that a process carries forward at once."""

import asyncio
from collections import deque
from collections.abc import Mapping

from cairn.engine import Workflow
from cairn.engine.core.records import Status

KEPT_FREE = 10
"""One slot in so many is kept from a workflow that has taken all the rest."""


class Slots:
    """A number of slots, handed out in the order of asking."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._queue: deque[asyncio.Future[None]] = deque()

    @property
    def free(self) -> bool:
        """True if the next `take` returns at once."""
        return self._free > 0 and not self._queue

    async def take(self) -> None:
        """Take a slot, once one is free."""
        if self.free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()  # the turn came in the moment of the cancellation
            raise

    def take_at_once(self) -> None:
        """Take a slot, even if none is free, for a run that goes on after a wait."""
        self._free -= 1

    def give_back(self) -> None:
        """Return a slot, to the first in the queue if there is one."""
        self._free += 1
        while self._free > 0 and self._queue:
            turn = self._queue.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(None)


class Slot:
    """The slot of one run: given back while the run waits."""

    def __init__(self, *slots: Slots) -> None:
        """Hold one slot of each of these `Slots`, taken before this call."""
        self._slots = slots
        self._held = True

    def follow(self, status: Status) -> None:
        """Give the slot back when the run begins to wait, and take one when the run goes on."""
        if status == "waiting":
            self.leave()
        elif status == "running" and not self._held:
            self._held = True
            for slots in self._slots:
                slots.take_at_once()

    def leave(self) -> None:
        """Give the slot back; a no-op without a slot."""
        if self._held:
            self._held = False
            for slots in self._slots:
                slots.give_back()


class RunSlots:
    """The slots of a process, with a bound for each workflow."""

    def __init__(self, number: int, workflows: Mapping[str, Workflow]) -> None:
        """Divide the slots.

        Args:
            number: the runs that are carried forward at once.
            workflows: the workflows by name. Each may take its `max_active` slots, and never all:
                the runs of the other workflows go on.
        """
        most = number - number // KEPT_FREE
        self._of_all = Slots(number)
        self._of_workflow = {
            name: Slots(min(most, workflow.max_active or most))
            for name, workflow in workflows.items()
        }

    async def take(self, workflow: str) -> Slot:
        """A slot for a run of the workflow, once one is free."""
        own = self._of_workflow[workflow]
        await own.take()
        try:
            await self._of_all.take()
        except asyncio.CancelledError:
            own.give_back()
            raise
        return Slot(own, self._of_all)

    def take_free(self, workflow: str) -> Slot | None:
        """A slot for a run of the workflow; `None` if none is free now."""
        own = self._of_workflow[workflow]
        if not self._of_all.free or not own.free:
            return None
        self._of_all.take_at_once()
        own.take_at_once()
        return Slot(own, self._of_all)
