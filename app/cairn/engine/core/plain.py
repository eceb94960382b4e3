"""The fast path of `advance`: a step has completed, and one event takes the place of another."""

from cairn.engine.core.draft import written
from cairn.engine.core.facts import Completed
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import NOTHING, Delivery, Delta, Edit, Snapshot
from cairn.engine.values.sealed import BATCH


def delta(routes: Routes, snapshot: Snapshot, fact: Completed) -> Delta | None:
    """The delta of the general way, with which `advance` is 1.3 times as fast for one event.

    `None` if more follows than deliveries of one returned event: then the general way is taken.
    """
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
