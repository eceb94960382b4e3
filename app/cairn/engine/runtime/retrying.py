"""Retrying: attempts at a delivery whose step fails, until one has a result."""

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
        attempt: the first attempt that has failed.
        error: the exception of its step.
        draining: set when no step may start any more. A delivery in a pause then gives its step
            worker back, and stays pending.

    Returns:
        The result, and the last attempt.
    """
    began = attempt.began
    while True:
        attempt.is_over = True
        attempt.abandon()
        delivery = attempt.delivery
        if not isinstance(error, Exception):
            return after_burst(delivery.step, attempt.retry, error), attempt
        retry = attempt.retry.after(error, time.monotonic() - began)
        match after_failure(parts.graph, delivery, retry, error):
            case End() as end:
                return end, attempt
            case HandedOver(handler, failure):
                return attempt.caught(failure, handler), attempt
            case TryAgain(seconds):
                _let_go(attempt, error)
                _say(parts, delivery.step, retry.retry_number, seconds, error)
                await _back_off(parts, attempt, seconds, draining)
        attempt = _again(parts, attempt, retry)
        try:
            return await attempt.execute(), attempt
        except BaseException as raised:
            error = raised


def _let_go(failed: Attempt, error: Exception) -> None:
    """Drop the variables of a failed attempt, which hang on its traceback.

    Retries can be many, and the pauses between them long.
    """
    failed.retry = RetryInfo()  # its exception's frames hold this attempt, and so the one before
    traceback.clear_frames(error.__traceback__)


def _say(parts: Parts[Attempt], step: str, number: int, seconds: float, error: Exception) -> None:
    """Log that the step is tried again, with the run, the workflow, the step and the attempt."""
    whose = {"run": str(parts.progress.run), "workflow": parts.program.name}
    extra = {**whose, "step": step, "attempt": number}
    log.warning(RETRIED, step, number, seconds, message_of(error), extra=extra)


async def _back_off(
    parts: Parts[Attempt], attempt: Attempt, seconds: float, draining: asyncio.Event
) -> None:
    """Wait before the next attempt; without end when the run is drained meanwhile."""
    await attempt.settled()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await draining.wait()
        parts.give_back(attempt)
        await asyncio.Future()


def _again(parts: Parts[Attempt], failed: Attempt, retry: RetryInfo) -> Attempt:
    """A further attempt at the delivery, as it stands now."""
    id_ = failed.delivery.id
    attempt = parts.attempts[id_] = Attempt(parts.progress.snapshot.deliveries[id_], parts, retry)
    attempt.worker, attempt.task = failed.worker, failed.task
    return attempt
