"""The heart: the change that one fact makes to a run. Pure: no clock, no task, no storage."""

from cairn.engine.core import plain
from cairn.engine.core.draft import Draft, written
from cairn.engine.core.facts import Caught, Completed, Fact, Received, TimedOut, Waiting
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Delta, Snapshot


def drafted(routes: Routes, snapshot: Snapshot, fact: Fact) -> Delta:
    """The general way of `advance`: the change that any fact makes, drafted part by part."""
    draft = Draft(routes, snapshot)
    match fact:
        case Completed():
            delivery, sent, output, changes, draft.buffers, draft.calls = fact
            done = draft.take_out(delivery)
            if changes:
                draft.state = written(changes, snapshot.state)
            if sent:
                draft.send_all(sent, done)
            if output is not None:
                draft.give(output, done)
            draft.leave(done.batch)
        case Received(received, kept):
            if kept is not None:
                draft.unclaimed[kept] = None
            draft.send(received)
            draft.close_question(received.event)
        case Waiting():
            wait, sent, draft.buffers, draft.calls = fact
            draft.send_all(sent, snapshot.deliveries[wait.delivery])
            draft.wait(wait, len(sent))
        case TimedOut(_, key):
            draft.give_up(key)
        case Caught():
            delivery, failure, handler, draft.buffers, draft.calls = fact
            done = draft.take_out(delivery)
            draft.hand_over(failure, handler, done)
            draft.leave(done.batch)
    return draft.delta()


def advance(routes: Routes, snapshot: Snapshot, fact: Fact) -> Delta:
    """The change that a fact makes to a run: `snapshot.after(delta)` is the run after the fact.

    The result is a delta rather than the next snapshot, since storage writes the delta: its size
    depends on the fact, and not on all that is pending.

    The change is `drafted`. For the most frequent fact, `plain` comes to the same change sooner.

    Args:
        routes: the routes of the run's workflow.
        snapshot: the run before the fact.
        fact: the fact.
    """
    delta = plain.delta(routes, snapshot, fact) if type(fact) is Completed else None
    return drafted(routes, snapshot, fact) if delta is None else delta
