"""Facts: the events in a run's life that make the run progress. One fact, one checkpoint."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cairn.engine.core.snapshot import NOTHING, Buffered, Edit, Wait
from cairn.engine.values.merging import Change
from cairn.engine.values.sealed import BATCH, SealedEvent, unpack


class Sent(NamedTuple):
    """An event, and the step that it is addressed to; `None` addresses all steps that take it."""

    event: SealedEvent
    step: str | None = None


class Received(NamedTuple):
    """An event came from outside: the start event, an answer, or a message from the caller.

    Or an event that was kept unclaimed, under the id `kept`, is offered to the steps that take
    it now.
    """

    sent: Sent
    kept: int | None = None


class Completed(NamedTuple):
    """A step completed: all its results take effect together.

    Attributes:
        delivery: the id of the delivery for which the step was started.
        sent: the events that the step sent, without those that went out when it began to wait.
        output: the event that the step returned, which goes out after `sent`. A list is an
            `EventBatch`.
        changes: the changes to the state, by key, in the order of writing.
        buffers: the entries that calls of `collect_events` in the run have put by and taken since
            the fact before.
        calls: the results of these calls.
    """

    delivery: int
    sent: tuple[Sent, ...] = ()
    output: SealedEvent | None = None
    changes: Mapping[str, Sequence[Change]] | None = None
    buffers: Edit[str, Buffered] = NOTHING
    calls: Edit[str, tuple[str, ...]] = NOTHING


class Waiting(NamedTuple):
    """A step began to wait, in the middle of a delivery. The events sent so far go out.

    `buffers` and `calls` are as in Completed.
    """

    wait: Wait
    sent: tuple[Sent, ...] = ()
    buffers: Edit[str, Buffered] = NOTHING
    calls: Edit[str, tuple[str, ...]] = NOTHING


class TimedOut(NamedTuple):
    """The time of a wait is up. The step goes on without an answer; a later event is not for it."""

    delivery: int
    wait: str


class Caught(NamedTuple):
    """A step failed for good, and its handler goes on. The step's own results vanish.

    Attributes:
        delivery: the id of the delivery for which the step was started; no longer pending.
        failure: the event that starts the handler, a StepFailedEvent.
        handler: the name of the `@catch_error` step.
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
