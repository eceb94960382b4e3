"""Retrying: further attempts at a delivery, until the step completes or its failure is final."""

import asyncio
import contextlib
import logging
import time
import traceback

from cairn.engine.core.facts import Caught, Completed
from cairn.engine.core.records import End
from cairn.engine.language.retry import RetryInfo
from cairn.engine.runtime.attempt import Attempt
from cairn.engine.runtime.failure import HandedOver, TryAgain, after_burst, after_failure
from cairn.engine.runtime.parts import Parts
from cairn.engine.values.exception_json import message_of

Outcome = Completed | Caught | End

log = logging.getLogger(__name__)

RETRIED = "step %s failed at attempt %d, and is tried again in %.1f s: %s"


async def retried(
    parts: Parts[Attempt], attempt: Attempt, error: BaseException, draining: asyncio.Event
) -> tuple[Outcome, Attempt]:
    """Try a delivery again until an attempt completes, or the failure is final.

    Args:
        parts: the part of the run that attempts share.
        attempt: the first attempt, which has failed.
        error: the exception of the step.
        draining: set when no step may start any more. A delivery in a pause then gives the step
            worker back, and stays pending; the call does not return.

    Returns:
        The step's result, or the decision about the failure; and the last attempt.
    """
    began = attempt.began - attempt.retry.elapsed_seconds
    while True:
        attempt.is_over = True
        attempt.abandon()
        delivery, number = attempt.delivery, attempt.number
        if not isinstance(error, Exception):
            return after_burst(delivery.step, attempt.retry, error), attempt
        retry = attempt.retry.after(error, time.monotonic() - began)
        match after_failure(parts.graph, delivery, retry, error):
            case End() as end:
                await _observe(parts, attempt, number, retry, None)
                return end, attempt
            case HandedOver(handler, failure):
                await _observe(parts, attempt, number, retry, None)
                return attempt.caught(failure, handler), attempt
            case TryAgain(seconds):
                await _observe(parts, attempt, number, retry, seconds)
                _release_frames(attempt, error)
                _log_retry(parts, delivery.step, retry.retry_number, seconds, error)
                await _back_off(parts, attempt, seconds, draining)
        attempt = _next_attempt(parts, attempt, retry)
        try:
            return await attempt.execute(), attempt
        except BaseException as raised:
            error = raised


async def paused(parts: Parts[Attempt], attempt: Attempt, draining: asyncio.Event) -> None:
    """Wait for the rest of the pause that an earlier process has begun."""
    pause = parts.earlier[attempt.delivery.id].pause
    if pause > 0:
        await _back_off(parts, attempt, pause, draining)


async def _observe(
    parts: Parts[Attempt], attempt: Attempt, number: int, retry: RetryInfo, seconds: float | None
) -> None:
    """Have the failure kept before the next attempt: a later process counts on from there."""
    if parts.publisher.observer is not None:
        await parts.publisher.observer.failed(attempt.delivery, number, retry, seconds)


def _release_frames(failed: Attempt, error: Exception) -> None:
    """Drop the variables in the traceback of a failed attempt.

    A delivery can have many attempts, with long pauses between.
    """
    failed.retry = RetryInfo()  # breaks a chain: the last exception's frames refer to its attempt
    traceback.clear_frames(error.__traceback__)


def _log_retry(
    parts: Parts[Attempt], step: str, number: int, seconds: float, error: Exception
) -> None:
    """Log that the step is tried again, with the run, the workflow, the step and the attempt."""
    run = {"run": str(parts.progress.run), "workflow": parts.program.name}
    extra = {**run, "step": step, "attempt": number}
    log.warning(RETRIED, step, number, seconds, message_of(error), extra=extra)


async def _back_off(
    parts: Parts[Attempt], attempt: Attempt, seconds: float, draining: asyncio.Event
) -> None:
    """Wait before the next attempt; without end if the run is drained meanwhile."""
    await attempt.settled()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await draining.wait()
        parts.give_back(attempt)
        await asyncio.Future()


def _next_attempt(parts: Parts[Attempt], failed: Attempt, retry: RetryInfo) -> Attempt:
    """A further attempt at the delivery, as of the newest snapshot."""
    id_ = failed.delivery.id
    attempt = parts.attempts[id_] = Attempt(parts.progress.snapshot.deliveries[id_], parts, retry)
    attempt.worker, attempt.task = failed.worker, failed.task
    return attempt
