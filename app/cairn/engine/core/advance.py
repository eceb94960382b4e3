"""The heart: what one fact makes of a run. Pure: no clock, no tasks, no storage."""

from cairn.engine.core.draft import Draft, written
from cairn.engine.core.facts import Caught, Completed, Fact, Received, TimedOut, Waiting
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import NOTHING, Delivery, Delta, Edit, Snapshot
from cairn.engine.values.sealed import BATCH


def advance(routes: Routes, snapshot: Snapshot, fact: Fact) -> Delta:
    """How the fact changes the snapshot: `snapshot.after(...)` is the run after it.

    A delta rather than the next snapshot, since it is what storage writes: its size depends on
    the fact, not on all that is pending.
    """
    if type(fact) is Completed and (plain := _plainly(routes, snapshot, fact)) is not None:
        return plain
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


def _plainly(routes: Routes, snapshot: Snapshot, fact: Completed) -> Delta | None:
    """Where an event just takes the place of another, as it does with most steps: the delta that a
    draft comes to, in half the time. `None` where there is more to it."""
    delivery, sent, output, changes, buffers, calls = fact
    done = snapshot.deliveries[delivery]
    if output is None or sent or done.batch or done.waiters or snapshot.waits:
        return None
    steps, slots, _, stops, _, _ = routes[output.type]
    if not steps or slots or stops or output.type == BATCH:
        return None
    id_, caught = snapshot.next_id, done.caught
    put = {
        new: Delivery(new, step, output, 0, (), 0, 0, caught) for new, step in enumerate(steps, id_)
    }
    deliveries = Edit(put, (delivery,))
    state = written(changes, snapshot.state) if changes else NOTHING
    no = NOTHING
    return Delta(deliveries, no, buffers, calls, no, no, no, no, state, id_ + len(put), None)
