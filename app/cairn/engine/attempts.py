"""Attempts: what becomes of a delivery whose step has failed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import traceback
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cairn.engine.errors import SerializationError, WorkflowRuntimeError
from cairn.engine.events import StepFailedEvent
from cairn.engine.exceptions import message_of
from cairn.engine.facts import Caught, Completed
from cairn.engine.journal import End
from cairn.engine.retry import RetryInfo
from cairn.engine.serialization import SealedEvent
from cairn.engine.snapshot import Delivery

if TYPE_CHECKING:
    from cairn.engine.flight import Flight
    from cairn.engine.runner import Runner

Outcome = Completed | Caught | End

log = logging.getLogger(__name__)

RETRIED = "step %s failed at attempt %d, and is tried again in %.1f s: %s"


MANY, FLOOR_SECONDS = 100, 0.1
"""After so many attempts at one delivery, how long the pauses between them are at least: a policy
without an end and without a pause would keep the process busy with nothing else."""


class Attempts:
    """Tries a step again as its retry policy says; then another step may catch its failure; then
    the run fails."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def after(self, flight: Flight, error: BaseException) -> tuple[Outcome, Flight]:
        """What became of the delivery in the end, and the try that it was."""
        began = flight.began
        while True:
            flight.is_over = True
            flight.abandon()
            if not isinstance(error, Exception):
                return self._burst(flight, error), flight
            retry = flight.retry.after(error, time.monotonic() - began)
            try:
                seconds = retry.delay(self._runner.graph.steps[flight.delivery.step].retry_policy)
            except Exception as raised:
                return End("failed", _policy_failed(flight, error, raised)), flight
            if seconds is None:
                return self._give_up(flight, error, retry), flight
            if retry.retry_number >= MANY:
                seconds = max(seconds, FLOOR_SECONDS)
            _let_go(flight, error)
            self._say(flight.delivery.step, retry.retry_number, seconds, error)
            await self._back_off(flight, seconds)
            flight = self._again(flight, retry)
            try:
                return await flight.execute(), flight
            except BaseException as raised:
                error = raised

    def broken(self, flight: Flight, error: BaseException) -> End:
        """Something has ended the step's task between two attempts."""
        return self._burst(flight, error)

    def _say(self, step: str, attempt: int, seconds: float, error: Exception) -> None:
        """Log that the step is tried again, with what tells this line from a thousand others."""
        runner = self._runner
        whose = {"run": str(runner.run), "workflow": runner.workflow.name}
        extra = {**whose, "step": step, "attempt": attempt}
        log.warning(RETRIED, step, attempt, seconds, message_of(error), extra=extra)

    async def _back_off(self, flight: Flight, seconds: float) -> None:
        """Wait before the next attempt. When the run is drained there is none: the flight gives
        its worker back, and stands until it is interrupted."""
        await flight.settled()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._runner.draining.wait()
            self._runner.give_back(flight)
            await asyncio.Future()

    def _again(self, failed: Flight, retry: RetryInfo) -> Flight:
        """A new try at the delivery, as it stands now."""
        delivery = self._runner.snapshot.deliveries[failed.delivery.id]
        flight = self._runner.flight(delivery, retry)
        flight.worker, flight.task = failed.worker, failed.task
        return flight

    def _give_up(self, flight: Flight, error: Exception, retry: RetryInfo) -> Caught | End:
        graph, delivery = self._runner.graph, flight.delivery
        handler = graph.handlers.get(delivery.step)
        if handler is not None:
            catches = graph.steps[handler].catches
            if catches and delivery.caught.get(handler, 0) < catches.max_recoveries:
                # What cannot be told of a failure is a failure that nobody has caught.
                with contextlib.suppress(SerializationError):
                    return flight.caught(self._told(delivery, error, retry), handler)
        return End("failed", error, delivery.step, retry.retry_number, retry.elapsed_seconds)

    def _told(self, delivery: Delivery, error: Exception, retry: RetryInfo) -> SealedEvent:
        serializer = self._runner.graph.serializer
        failure = StepFailedEvent(
            step_name=delivery.step,
            input_event=serializer.open(delivery.event),
            exception=error,
            attempts=retry.retry_number,
            elapsed_seconds=retry.elapsed_seconds,
            failed_at=retry.last_failed_at or datetime.now(UTC),
        )
        return serializer.seal(failure)

    def _burst(self, flight: Flight, error: BaseException) -> End:
        """It raised what is no `Exception`."""
        step = flight.delivery.step
        raised = WorkflowRuntimeError(f"Step {step!r} raised {type(error).__name__}: {error}")
        raised.__cause__ = error
        return End("failed", raised, step, flight.retry.retry_number + 1)


def _let_go(failed: Flight, error: Exception) -> None:
    """Keep of an attempt what is told of it, and none of its variables: retries can be many, and
    the pauses between them long."""
    failed.retry = RetryInfo()  # its exception's frames hold this flight, and so the one before
    traceback.clear_frames(error.__traceback__)


def _policy_failed(flight: Flight, error: Exception, raised: Exception) -> WorkflowRuntimeError:
    failed = WorkflowRuntimeError(
        f"The retry policy of step {flight.delivery.step!r} failed with "
        f"{type(raised).__name__}: {raised}"
    )
    failed.__cause__ = error
    return failed
