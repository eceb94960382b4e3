"""The last event that a run shows, if a failure or the timeout has ended the run."""

from cairn.engine.core.records import End
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import WorkflowTimeoutError
from cairn.engine.language.events import StopEvent, WorkflowFailedEvent, WorkflowTimedOutEvent


def last_event(end: End, snapshot: Snapshot, timeout: float | None) -> StopEvent | None:
    """The event for the watchers of a run that has failed.

    Args:
        end: the reason of the end.
        snapshot: the run's newest snapshot.
        timeout: the timeout of the run's workflow, in seconds.

    Returns:
        The event; `None` for a cancelled run.

    Raises:
        Exception: the exception of the step does not fit into an event.
    """
    if end.step is None and timeout is not None and isinstance(end.error, WorkflowTimeoutError):
        active = list(dict.fromkeys(delivery.step for delivery in snapshot.pending()))
        return WorkflowTimedOutEvent(timeout=timeout, active_steps=active)
    if end.step is not None and isinstance(end.error, Exception):
        return WorkflowFailedEvent(
            step_name=end.step,
            exception=end.error,
            attempts=end.attempts,
            elapsed_seconds=end.elapsed_seconds,
        )
    return None
