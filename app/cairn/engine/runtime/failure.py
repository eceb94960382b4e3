"""Failure: the decision to retry a failed step, to hand its failure over, or to end the run."""

import contextlib
from datetime import UTC, datetime
from typing import NamedTuple

from cairn.engine.core.records import End
from cairn.engine.core.snapshot import Delivery
from cairn.engine.errors import SerializationError, WorkflowRuntimeError
from cairn.engine.language.events import StepFailedEvent
from cairn.engine.language.graph import Graph
from cairn.engine.language.retry import RetryInfo
from cairn.engine.values.sealed import SealedEvent

MANY, FLOOR_SECONDS = 100, 0.1
"""The attempts at one delivery after which every pause is at least so long, in seconds.

A policy without an end and without a pause would keep the process busy with one step.
"""


class TryAgain(NamedTuple):
    """The step is tried again.

    Attributes:
        seconds: the pause before the next attempt.
    """

    seconds: float


class HandedOver(NamedTuple):
    """The failure goes to a handler.

    Attributes:
        handler: the name of the step that handles the failure.
        failure: the `StepFailedEvent` that starts the handler.
    """

    handler: str
    failure: SealedEvent


def after_failure(
    graph: Graph, delivery: Delivery, retry: RetryInfo, error: Exception
) -> TryAgain | HandedOver | End:
    """Decide how a run goes on after a step has failed.

    The step's retry policy decides first. Without a further attempt, a handler of the step's
    failures is started. Without a handler, or after too many recoveries, the run fails.

    Args:
        graph: the steps and events of the workflow.
        delivery: the delivery, as it stands now.
        retry: the attempts at the delivery, including the failed one.
        error: the exception of the step.

    Returns:
        The decision. `End` tells the step's exception, or that of the retry policy.
    """
    try:
        seconds = retry.delay(graph.steps[delivery.step].retry_policy)
    except Exception as raised:
        failed = _policy_failed(delivery.step, error, raised)
        return End("failed", failed, delivery.step, retry.retry_number, retry.elapsed_seconds)
    if seconds is not None:
        return TryAgain(max(seconds, FLOOR_SECONDS) if retry.retry_number >= MANY else seconds)
    handler = graph.handlers.get(delivery.step)
    catches = None if handler is None else graph.steps[handler].catches
    if handler and catches and delivery.caught.get(handler, 0) < catches.max_recoveries:
        # A failure that cannot be stored as an event ends the run, as if no step handled it.
        with contextlib.suppress(SerializationError):
            return HandedOver(handler, _as_event(graph, delivery, retry, error))
    return End("failed", error, delivery.step, retry.retry_number, retry.elapsed_seconds)


def after_burst(step: str, retry: RetryInfo, error: BaseException) -> End:
    """The end of a run after an exception that no retry policy decides about.

    Args:
        step: the name of the step.
        retry: the failed attempts before this one.
        error: a `BaseException` such as `SystemExit`, or the cancellation of the step's task.
    """
    raised = WorkflowRuntimeError(f"Step {step!r} raised {type(error).__name__}: {error}")
    raised.__cause__ = error
    return End("failed", raised, step, retry.retry_number + 1)


def _as_event(graph: Graph, delivery: Delivery, retry: RetryInfo, error: Exception) -> SealedEvent:
    failure = StepFailedEvent(
        step_name=delivery.step,
        input_event=graph.serializer.open(delivery.event),
        exception=error,
        attempts=retry.retry_number,
        elapsed_seconds=retry.elapsed_seconds,
        failed_at=retry.last_failed_at or datetime.now(UTC),
    )
    return graph.serializer.seal(failure)


def _policy_failed(step: str, error: Exception, raised: Exception) -> WorkflowRuntimeError:
    failed = WorkflowRuntimeError(
        f"The retry policy of step {step!r} failed with {type(raised).__name__}: {raised}"
    )
    failed.__cause__ = error
    return failed
