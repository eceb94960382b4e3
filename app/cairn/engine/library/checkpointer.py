"""WorkflowCheckpointer: the checkpoints of the runs started through it, by run."""

from collections.abc import Collection
from typing import Any

from cairn.engine.errors import WorkflowStepDoesNotExistError
from cairn.engine.language.checkpoint import Checkpoint, filtered
from cairn.engine.language.events import Event
from cairn.engine.library.handler import Handler
from cairn.engine.library.workflow import Workflow


class WorkflowCheckpointer:
    """A view, by run, on the checkpoints that completed steps have left.

        checkpointer = WorkflowCheckpointer(workflow=workflow)
        handler = checkpointer.run(topic="math")
        await handler
        checkpointer.checkpoints[handler.run_id]

    Every run leaves all its checkpoints in its context; here those of single steps can be left out.
    """

    def __init__(self, workflow: Workflow, disabled_steps: Collection[str] = ()) -> None:
        """View the runs of a workflow.

        Args:
            workflow: the workflow.
            disabled_steps: the names of steps whose checkpoints are left out.

        Raises:
            WorkflowStepDoesNotExistError: the workflow has no such step.
        """
        self.workflow = workflow
        self.enabled_checkpoints = set(workflow.graph.steps)
        self._runs: list[tuple[Handler, frozenset[str]]] = []
        for name in disabled_steps:
            self.disable_checkpoint(name)

    def enable_checkpoint(self, step: str) -> None:
        """Show the step's checkpoints, of runs started from now on.

        Raises:
            WorkflowStepDoesNotExistError: there is no such step.
        """
        self._check(step)
        self.enabled_checkpoints.add(step)

    def disable_checkpoint(self, step: str) -> None:
        """Leave the step's checkpoints out, of runs started from now on.

        Raises:
            WorkflowStepDoesNotExistError: there is no such step.
        """
        self._check(step)
        self.enabled_checkpoints.discard(step)

    def run(self, **kwargs: Any) -> Handler:
        """As `Workflow.run`."""
        return self._note(self.workflow.run(**kwargs))

    def run_from(self, checkpoint: Checkpoint, **kwargs: Any) -> Handler:
        """As `Workflow.run_from`."""
        return self._note(self.workflow.run_from(checkpoint, **kwargs))

    @property
    def checkpoints(self) -> dict[str, list[Checkpoint]]:
        """The checkpoints by run id, oldest first, of the runs that have left any."""
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
        """The checkpoints that match all the filters given; see `Context.filter_checkpoints`.

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

    def _note(self, handler: Handler) -> Handler:
        self._runs.append((handler, frozenset(self.enabled_checkpoints)))
        return handler

    def _check(self, step: str) -> None:
        names = self.workflow.graph.steps
        if step not in names:
            raise WorkflowStepDoesNotExistError(
                f"{type(self.workflow).__name__} has no step {step!r}; it has {', '.join(names)}."
            )
