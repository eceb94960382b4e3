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
    """An attempt at a delivery, with a step that waits.

    Attributes:
        delivery: the delivery for which the step was started.
        worker: the number of the step worker; `None` while the attempt has none.
        is_over: true once the attempt has ended.
    """

    delivery: Delivery
    worker: int | None
    is_over: bool

    def goes_on(self) -> None:
        """Have the run's status set to running: the step goes on."""

    async def give_up(self, wait: Wait) -> None:
        """Report that the time of the wait is up, and return once that is committed."""


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class WaitingSteps:
    """The steps of a run that wait for an event, each in the middle of a delivery."""

    def __init__(self, workers: StepWorkers) -> None:
        self._workers = workers
        self._answers: dict[str, asyncio.Future[SealedEvent]] = {}

    async def answer(self, attempt: Waiter, wait: Wait) -> SealedEvent:
        """Wait for the answer, and then for a free step worker.

        Raises:
            TimeoutError: the time is up. The attempt has a step worker, and the end of the wait is
                committed.
        """
        self._answers[wait.key] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(wait.timeout):
                return await self._answers[wait.key]
        except TimeoutError:
            del self._answers[wait.key]
            if attempt.worker is None:
                has_worker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._request_worker(attempt, partial(_settle, has_worker))
                await has_worker
            await attempt.give_up(wait)
            raise
        except asyncio.CancelledError:
            # The step has cancelled its own wait, and goes on at once, without queueing.
            if attempt.worker is None:
                attempt.worker = self._workers.take_another(attempt.delivery.step)
                attempt.goes_on()
            raise
        finally:
            self._answers.pop(wait.key, None)

    def begin(self, attempt: Waiter, wait: Wait) -> None:
        """Give the step worker back, once the wait is committed and unless the wait is over."""
        if wait.key in self._answers:
            self.rest(attempt)

    def wake(self, attempt: Waiter, wait: Wait) -> None:
        """Let the step of an answered wait go on, once a worker is free.

        A step that has not reached the wait yet will read the answer in the snapshot.
        """
        if wait.key not in self._answers:
            return
        if attempt.worker is not None:
            self._resolve(wait)
        else:
            self._request_worker(attempt, partial(self._resolve, wait))

    def rest(self, attempt: Waiter) -> None:
        """Give the step worker back, if the attempt has one: the step has ended, or waits."""
        worker, attempt.worker = attempt.worker, None
        if worker is not None:
            self._workers.leave(attempt.delivery.step, worker)

    def _request_worker(self, attempt: Waiter, go: Callable[[], None]) -> None:
        def with_worker(worker: int) -> None:
            if attempt.worker is not None or attempt.is_over:  # a worker is not needed any more
                self._workers.leave(attempt.delivery.step, worker)
            else:
                attempt.worker = worker
            go()

        self._workers.ask(attempt.delivery.step, attempt.delivery.id, with_worker)

    def _resolve(self, wait: Wait) -> None:
        answer = self._answers.get(wait.key)
        if answer is not None and wait.answer is not None and not answer.done():
            answer.set_result(wait.answer)
