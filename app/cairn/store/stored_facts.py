"""Facts of stored checkpoints: kept in the row where a rerun may need them, or told by the row."""

from typing import Any

from cairn.engine.core.facts import Completed, Fact, Received, Sent
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import NOTHING, Delta, Edit
from cairn.engine.values.sealed import SealedEvent

MAX_ID = 1 << 63
"""Above the id of any delivery."""


def is_told(record: Record, newest: int) -> bool:
    """True if the row tells the fact: an event came from outside, or a step has completed alone.

    Alone means that the step took an event of the checkpoint before, and that the fact holds
    nothing but an output and changes of the state.

    Args:
        record: the checkpoint.
        newest: the first of the ids that the checkpoint before has given; `MAX_ID` if unknown.
    """
    match record.fact:
        case Received(Sent(_, None), None):
            return True
        case Completed(delivery, (), _, _, buffers, calls):
            is_alone = len(record.delta.deliveries.drop) == 1
            return delivery >= newest and is_alone and not (_changes(buffers) or _changes(calls))
    return False


def _changes(edit: Edit[Any, Any]) -> bool:
    """True if the edit changes anything."""
    return edit is not NOTHING


def told(step: str | None, has_taken: bool, given: SealedEvent | None, delta: Delta) -> Fact | None:
    """The fact that a row without a fact tells, but for the changes of the state.

    Args:
        step: the step that completed.
        has_taken: whether there is an input event; an event from outside has none.
        given: the output event.
        delta: the delta.

    Returns:
        The fact; `None` for a row of an earlier version, which kept no facts.
    """
    done = delta.deliveries.drop
    if step is not None and len(done) == 1:
        return Completed(done[0], (), given)
    if not has_taken and given is not None:
        return Received(Sent(given))
    return None
