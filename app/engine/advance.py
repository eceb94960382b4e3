"""The heart: what one fact makes of a run. Pure: no clock, no tasks, no storage."""

from app.engine.draft import Draft
from app.engine.facts import Abandoned, Completed, Fact, Received, Waiting
from app.engine.routes import Routes
from app.engine.snapshot import Delta, Snapshot


def advance(routes: Routes, snapshot: Snapshot, fact: Fact) -> Delta:
    """How the fact changes the snapshot: `snapshot.after(...)` is the run after it.

    A delta rather than the next snapshot, since it is what storage writes: its size depends on
    the fact, not on all that is pending.
    """
    draft = Draft(routes, snapshot)
    match fact:
        case Received(sent):
            draft.send(sent)
        case Completed(delivery, sent, output, changes, buffers, calls):
            draft.buffers, draft.calls = buffers, calls
            done = draft.take_out(delivery)
            if changes:
                draft.write(changes)
            draft.send_all(sent, done)
            draft.give(output, done)
            draft.leave(done.batch)
        case Waiting(wait, sent, buffers, calls):
            draft.buffers, draft.calls = buffers, calls
            draft.send_all(sent, snapshot.deliveries[wait.delivery])
            draft.wait(wait, len(sent))
        case Abandoned(delivery, failure, handler, buffers, calls):
            draft.buffers, draft.calls = buffers, calls
            done = draft.take_out(delivery)
            if failure is not None:
                draft.hand_over(failure, handler, done)
            draft.leave(done.batch)
    return draft.delta()
