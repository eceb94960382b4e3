"""Steps that wait in their middle: they give their worker back, and have one again to go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from cairn.engine.serialization import SealedEvent
from cairn.engine.snapshot import Wait
from cairn.engine.turns import Turns

if TYPE_CHECKING:
    from cairn.engine.flight import Flight


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class WaitingSteps:
    """The steps of a run that stand and wait for an event."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._answers: dict[str, asyncio.Future[SealedEvent]] = {}

    async def answer(self, flight: Flight, wait: Wait) -> SealedEvent:
        """The event that the step waits for, once it is there and a worker is free.

        Raises:
            TimeoutError: the time is up; a worker is free here too.
        """
        self._answers[wait.key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(wait.timeout):
                return await self._answers[wait.key]
        except TimeoutError:
            del self._answers[wait.key]
            if flight.worker is None:
                has_worker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._ask(flight, partial(_settle, has_worker))
                await has_worker
            await flight.give_up(wait)
            raise
        except asyncio.CancelledError:
            # The step has given up by itself, and works on: it cannot be made to queue now.
            if flight.worker is None:
                flight.worker = self._turns.take_another(flight.delivery.step)
                flight.goes_on()
            raise
        finally:
            self._answers.pop(wait.key, None)

    def begin(self, flight: Flight, wait: Wait) -> None:
        """The wait is committed: the worker is free, unless the step's time is up already."""
        if wait.key in self._answers:
            self.rest(flight)

    def wake(self, flight: Flight, wait: Wait) -> None:
        """The event is there: the step goes on, once a worker is free. One that has not come as far
        finds it when it does."""
        if wait.key not in self._answers:
            return
        if flight.worker is not None:
            self._hand_over(wait)
        else:
            self._ask(flight, partial(self._hand_over, wait))

    def rest(self, flight: Flight) -> None:
        """The step has ended, or waits: its worker is free."""
        worker, flight.worker = flight.worker, None
        if worker is not None:
            self._turns.leave(flight.delivery.step, worker)

    def _ask(self, flight: Flight, go: Callable[[], None]) -> None:
        def with_worker(worker: int) -> None:
            if flight.worker is not None or flight.is_over:  # it did not come to need this one
                self._turns.leave(flight.delivery.step, worker)
            else:
                flight.worker = worker
            go()

        self._turns.ask(flight.delivery.step, flight.delivery.id, with_worker)

    def _hand_over(self, wait: Wait) -> None:
        answer = self._answers.get(wait.key)
        if answer is not None and wait.answer is not None and not answer.done():
            answer.set_result(wait.answer)
