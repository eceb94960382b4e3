"""WorkflowCheckpointer: starts runs, and lists the checkpoints of each."""

from collections.abc import Collection
from typing import Any

from cairn.engine.errors import WorkflowStepDoesNotExistError
from cairn.engine.language.checkpoint import Checkpoint, filtered
from cairn.engine.language.events import Event
from cairn.engine.library.handler import Handler
from cairn.engine.library.workflow import Workflow


class WorkflowCheckpointer:
    """The checkpoints that completed steps have left, by run.

        checkpointer = WorkflowCheckpointer(workflow=workflow)
        handler = checkpointer.run(topic="math")
        await handler
        checkpointer.checkpoints[handler.run_id]

    Every run leaves all checkpoints in its context. A checkpointer can leave out those of single
    steps. Name and methods are those of earlier versions of LlamaIndex Workflows.

    Attributes:
        workflow: the workflow.
        enabled_checkpoints: the names of the steps whose checkpoints are listed.
    """

    def __init__(self, workflow: Workflow, disabled_steps: Collection[str] = ()) -> None:
        """Make a checkpointer without runs.

        Args:
            workflow: the workflow to run.
            disabled_steps: the names of steps without listed checkpoints.

        Raises:
            WorkflowStepDoesNotExistError: the workflow has no such step.
        """
        self.workflow = workflow
        self.enabled_checkpoints = set(workflow.graph.steps)
        # Each run, with the steps enabled at its start.
        self._runs: list[tuple[Handler, frozenset[str]]] = []
        for name in disabled_steps:
            self.disable_checkpoint(name)

    def enable_checkpoint(self, step: str) -> None:
        """List the step's checkpoints, for runs started from now on.

        Raises:
            WorkflowStepDoesNotExistError: the workflow has no such step.
        """
        self._check_step(step)
        self.enabled_checkpoints.add(step)

    def disable_checkpoint(self, step: str) -> None:
        """Leave out the step's checkpoints, for runs started from now on.

        Raises:
            WorkflowStepDoesNotExistError: the workflow has no such step.
        """
        self._check_step(step)
        self.enabled_checkpoints.discard(step)

    def run(self, **kwargs: Any) -> Handler:
        """Start a run, as `Workflow.run` does with the same arguments."""
        return self._remember(self.workflow.run(**kwargs))

    def run_from(self, checkpoint: Checkpoint, **kwargs: Any) -> Handler:
        """Start a run at a checkpoint, as `Workflow.run_from` does with the same arguments."""
        return self._remember(self.workflow.run_from(checkpoint, **kwargs))

    @property
    def checkpoints(self) -> dict[str, list[Checkpoint]]:
        """The checkpoints by run id, oldest first. Runs without checkpoints are left out."""
        found: dict[str, list[Checkpoint]] = {}
        for handler, enabled in self._runs:
            own = [
                checkpoint
                for checkpoint in handler.ctx.checkpoints
                if checkpoint.run_id == handler.run_id and checkpoint.last_completed_step in enabled
            ]
            if own:
                found[handler.run_id] = own
        return found

    def filter_checkpoints(
        self,
        run_id: str | None = None,
        last_completed_step: str | None = None,
        input_event_type: type[Event] | str | None = None,
        output_event_type: type[Event] | str | None = None,
    ) -> list[Checkpoint]:
        """Return the checkpoints that match all the given filters.

        Args:
            run_id: the id of the run.
            last_completed_step: as in `Context.filter_checkpoints`, like the two below.
            input_event_type: the exact type of the event that the step took, or the type's name.
            output_event_type: the exact type of the event that the step gave, or the type's name.

        Raises:
            ValueError: no filter is given.
        """
        found = self.checkpoints
        if run_id is None:
            candidates = [checkpoint for of_run in found.values() for checkpoint in of_run]
        else:
            candidates = found.get(run_id, [])
        filters = (last_completed_step, input_event_type, output_event_type)
        if run_id is not None and filters == (None, None, None):
            return candidates
        return filtered(candidates, *filters)

    def _remember(self, handler: Handler) -> Handler:
        self._runs.append((handler, frozenset(self.enabled_checkpoints)))
        return handler

    def _check_step(self, step: str) -> None:
        names = self.workflow.graph.steps
        if step not in names:
            raise WorkflowStepDoesNotExistError(
                f"{type(self.workflow).__name__} has no step {step!r}; it has {', '.join(names)}."
            )
