"""Steps that wait in the middle of a delivery, without a step worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol

from cairn.engine.core.snapshot import Delivery, Wait
from cairn.engine.runtime.step_workers import StepWorkers
from cairn.engine.values.sealed import SealedEvent


class Waiter(Protocol):
    """An attempt whose step waits.

    Attributes:
        delivery: the delivery for which the step was started.
        worker: the number of the step worker; `None` while the attempt has none.
        is_over: true once the attempt has ended.
    """

    delivery: Delivery
    worker: int | None
    is_over: bool

    def goes_on(self) -> None:
        """Take note that the step goes on."""

    async def give_up(self, wait: Wait) -> None:
        """Report that the time of the wait is up, and return once that is committed."""


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class WaitingSteps:
    """The steps of a run that stand and wait for an event."""

    def __init__(self, workers: StepWorkers) -> None:
        self._workers = workers
        self._answers: dict[str, asyncio.Future[SealedEvent]] = {}

    async def answer(self, attempt: Waiter, wait: Wait) -> SealedEvent:
        """Wait for the answer, and then for a free step worker.

        Raises:
            TimeoutError: the time is up; a worker is free then, too.
        """
        self._answers[wait.key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(wait.timeout):
                return await self._answers[wait.key]
        except TimeoutError:
            del self._answers[wait.key]
            if attempt.worker is None:
                has_worker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._ask(attempt, partial(_settle, has_worker))
                await has_worker
            await attempt.give_up(wait)
            raise
        except asyncio.CancelledError:
            # The step has given up by itself, and works on: it cannot be made to queue now.
            if attempt.worker is None:
                attempt.worker = self._workers.take_another(attempt.delivery.step)
                attempt.goes_on()
            raise
        finally:
            self._answers.pop(wait.key, None)

    def begin(self, attempt: Waiter, wait: Wait) -> None:
        """The wait is committed: the worker is free, unless the step's time is up already."""
        if wait.key in self._answers:
            self.rest(attempt)

    def wake(self, attempt: Waiter, wait: Wait) -> None:
        """Let the step of an answered wait go on, once a worker is free.

        A step that has not come as far finds the answer when it does.
        """
        if wait.key not in self._answers:
            return
        if attempt.worker is not None:
            self._hand_over(wait)
        else:
            self._ask(attempt, partial(self._hand_over, wait))

    def rest(self, attempt: Waiter) -> None:
        """The step has ended, or waits: its worker is free."""
        worker, attempt.worker = attempt.worker, None
        if worker is not None:
            self._workers.leave(attempt.delivery.step, worker)

    def _ask(self, attempt: Waiter, go: Callable[[], None]) -> None:
        def with_worker(worker: int) -> None:
            if attempt.worker is not None or attempt.is_over:  # it did not come to need this one
                self._workers.leave(attempt.delivery.step, worker)
            else:
                attempt.worker = worker
            go()

        self._workers.ask(attempt.delivery.step, attempt.delivery.id, with_worker)

    def _hand_over(self, wait: Wait) -> None:
        answer = self._answers.get(wait.key)
        if answer is not None and wait.answer is not None and not answer.done():
            answer.set_result(wait.answer)
