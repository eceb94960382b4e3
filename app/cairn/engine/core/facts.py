"""Facts: what makes a run progress. One fact, one checkpoint."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cairn.engine.core.snapshot import NOTHING, Buffered, Edit, Wait
from cairn.engine.values.merging import Change
from cairn.engine.values.sealed import BATCH, SealedEvent, unpack


class Sent(NamedTuple):
    """An event, and the one step it is for; `None` is every step that takes its type."""

    event: SealedEvent
    step: str | None = None


class Received(NamedTuple):
    """An event came from outside: the StartEvent, an answer, a word from the caller. Or one that
    had been kept unclaimed, under the id `kept`, is offered to steps that take it now."""

    sent: Sent
    kept: int | None = None


class Completed(NamedTuple):
    """A step completed: all it gave, sent, wrote and collected takes effect together.

    Attributes:
        delivery: the id of the delivery that it was started for.
        sent: the events that it sent, as far as they go out now.
        output: the event it returned; it goes out after these. A list is an `EventBatch`.
        changes: what it wrote to the state, by key, in order.
        buffers: what `collect_events` has put by and taken in the run since the fact before.
        calls: what its calls have given in that time.
    """

    delivery: int
    sent: tuple[Sent, ...] = ()
    output: SealedEvent | None = None
    changes: Mapping[str, Sequence[Change]] | None = None
    buffers: Edit[str, Buffered] = NOTHING
    calls: Edit[str, tuple[str, ...]] = NOTHING


class Waiting(NamedTuple):
    """A step began to wait, in the middle of a delivery. What it has sent so far goes out.

    `buffers` and `calls` are as in Completed.
    """

    wait: Wait
    sent: tuple[Sent, ...] = ()
    buffers: Edit[str, Buffered] = NOTHING
    calls: Edit[str, tuple[str, ...]] = NOTHING


class TimedOut(NamedTuple):
    """The time of a wait is up: what comes now is not for it. Its step goes on without."""

    delivery: int
    wait: str


class Caught(NamedTuple):
    """A step failed for good, and another one goes on. Nothing is kept of what it did.

    Attributes:
        delivery: the id of the delivery that it was started for, which is no longer pending.
        failure: what the other is started with, a StepFailedEvent.
        handler: the step that catches it.
        buffers, calls: as in Completed.
    """

    delivery: int
    failure: SealedEvent
    handler: str
    buffers: Edit[str, Buffered] = NOTHING
    calls: Edit[str, tuple[str, ...]] = NOTHING


Fact = Received | Completed | Waiting | TimedOut | Caught


def gone_out(fact: Fact) -> Sequence[SealedEvent]:
    """The events that a fact has brought into the run, those of a returned list one by one."""
    match fact:
        case Received(received):
            return (received.event,)
        case Completed():
            _, sent, output, *_ = fact
            given: Sequence[SealedEvent] = ()
            if output is not None:
                given = unpack(output) if output.type == BATCH else (output,)
            return [*(each.event for each in sent), *given] if sent else given
        case Waiting(_, sent):
            return [each.event for each in sent]
    return ()
