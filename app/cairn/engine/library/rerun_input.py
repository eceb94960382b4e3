"""A checkpoint's own step executed again, on its recorded event or on another one."""

import time

from cairn.engine.core.snapshot import Snapshot
from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.language.events import Event
from cairn.engine.language.graph import Graph
from cairn.engine.library.rerun_source import RerunSource
from cairn.engine.values.sealed import BATCH


def with_input(graph: Graph, source: RerunSource, input_event: Event | None) -> Snapshot:
    """The snapshot before the checkpoint's step has completed, its delivery still pending.

    Args:
        graph: the steps and events of the workflow.
        source: the checkpoint.
        input_event: replaces the event that the step took; `None` keeps the recorded one.

    Raises:
        WorkflowRuntimeError: no step has completed at the checkpoint, the snapshot before it is
            not known, or the event does not fit.
        SerializationError: the event cannot be stored.
    """
    step, id_, before = source.last_completed_step, source.completed, source.before
    if step is None:
        raise WorkflowRuntimeError(
            "No step completed at this checkpoint: when='before' has no step to execute again. "
            "Take a checkpoint with a last_completed_step."
        )
    if before is None or id_ is None:
        raise WorkflowRuntimeError(
            "when='before' needs the checkpoint before this one: take the checkpoint from its "
            "context (handler.ctx.checkpoints), not from JSON."
        )
    snapshot = before.anew(time.time())
    if input_event is None:
        return snapshot
    delivery = snapshot.deliveries[id_]
    known = graph.steps.get(step)
    takes = () if known is None or delivery.event.type == BATCH else known.takes
    if type(input_event) not in takes:
        names = ", ".join(kind.__name__ for kind in takes)
        instead = (
            f"Step {step!r} takes {names}."
            if names
            else (f"Step {step!r} took several events at once, which one event cannot replace.")
        )
        raise WorkflowRuntimeError(
            f"input_event is a {type(input_event).__name__}, which does not fit. {instead}"
        )
    changed = delivery._replace(event=graph.serializer.seal(input_event))
    return snapshot._replace(deliveries=snapshot.deliveries.set(id_, changed))
