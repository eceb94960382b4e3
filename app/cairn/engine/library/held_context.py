"""HeldContext: a context outside of steps, with the runs that share the context."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic import BaseModel

from cairn.engine.errors import ContextStateError, WorkflowConfigurationError
from cairn.engine.language.behind import Behind
from cairn.engine.language.checkpoint import Checkpoint
from cairn.engine.language.context import Context
from cairn.engine.language.events import Event
from cairn.engine.language.serializers import BaseSerializer
from cairn.engine.language.state_store import Cells
from cairn.engine.library.checkpoints import HasGraph, checkpoints_of
from cairn.engine.library.context_json import read_context, write_context
from cairn.engine.library.context_runs import ContextRuns
from cairn.engine.library.context_state import ContextStateView
from cairn.engine.library.handler import Handler


class HeldContext(Behind):
    """The implementation of a context outside of steps.

    Attributes:
        workflow: the workflow that the context was made for.
        runs: the runs in the context.
    """

    def __init__(
        self,
        workflow: HasGraph,
        previous: Mapping[str, Any] | None,
        serializer: BaseSerializer | None,
    ) -> None:
        """Make the implementation of a new context.

        Args:
            workflow: the workflow that the context is made for.
            previous: a dict that `to_dict` has made, with the state and the run to go on with.
            serializer: the serializer that `to_dict` was given, if any.

        Raises:
            ContextSerdeError: `to_dict` has not made `previous`, or not with this serializer.
        """
        self.workflow = workflow
        self.runs: ContextRuns[Handler] = ContextRuns(lambda: workflow.graph.routes)
        if previous is not None:
            snapshot, is_running = read_context(previous, serializer)
            self.runs.state = snapshot.state
            self.runs.unfinished = snapshot if is_running else None

    @property
    def state_type(self) -> type[BaseModel]:
        """The type of the state as a whole, from the annotations of the steps."""
        return self.workflow.graph.state_type

    @property
    def is_running(self) -> bool:
        """True if a run is under way, or was when `to_dict` wrote the context."""
        return self.runs.is_running

    def cells(self) -> Cells:
        """The state, key by key; see `ContextStateView`."""
        return ContextStateView(self.runs, self.workflow.graph.serializer)

    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints of all the runs, oldest first."""
        return checkpoints_of(self.workflow, self.runs.journal)

    async def running_steps(self) -> list[str]:
        """The names of the steps under way in all the runs, without those that wait for an event.

        Raises:
            ContextStateError: no run has been started.
        """
        handlers = self.runs.under_way or [self._newest("running_steps")]
        names = [name for handler in handlers for name in await handler.running_steps()]
        return list(dict.fromkeys(names))

    def stream_events(self, expose_internal: bool) -> AsyncIterator[Event]:
        """Iterate over the events that the newest run shows.

        Raises:
            ContextStateError: no run has been started.
        """
        return self._newest("stream_events").stream_events(expose_internal)

    def result(self) -> Any:
        """The result of the newest run.

        Raises:
            ContextStateError: no run has been started.
            asyncio.InvalidStateError: the run has not ended.
            Exception: the reason of the end, if the run has not completed.
        """
        return self._newest("get_result").result()

    def to_dict(self, serializer: BaseSerializer | None, include_state: bool) -> dict[str, Any]:
        """The context as a dict of JSON's types; see `write_context`."""
        return write_context(*self.runs.stand(), serializer, include_state)

    def send(self, event: Event, step: str | None) -> None:
        """Send an event to the newest run under way.

        Raises:
            ContextStateError: no run is under way.
            WorkflowRuntimeError: the step does not take the event.
            SerializationError: a field cannot be stored; the message names the field.
        """
        newest = self.runs.newest
        if self.runs.under_way:
            self.runs.under_way[-1].send_event(event, step)
        # A stepwise run that has ended has its last event already: sending that is a no-op.
        elif newest is None or not newest.has_given(event):
            raise ContextStateError(
                "No run is under way in this context: nobody is there to take the event. "
                "Start one first, workflow.run(ctx=ctx)."
            )

    def check(self, workflow: object) -> None:
        """Check that a workflow has the class that the context was made for.

        Raises:
            WorkflowConfigurationError: the workflow is of a different class.
        """
        if type(self.workflow) is not type(workflow):
            raise WorkflowConfigurationError(
                f"This context was made for {type(self.workflow).__name__}, and cannot be used "
                f"with {type(workflow).__name__}: make a Context(workflow=...) for it."
            )

    def _newest(self, method: str) -> Handler:
        if self.runs.newest is None:
            raise ContextStateError(
                f"{method} needs a run: start one in this context first, workflow.run(ctx=ctx)."
            )
        return self.runs.newest


def held(ctx: Context[Any]) -> HeldContext:
    """The implementation of a context outside of steps.

    Raises:
        ContextStateError: the context is a step's, in which no run can be started.
    """
    if not isinstance(ctx._behind, HeldContext):
        raise ContextStateError(
            "This is the context of a step, in which no other run can be started. Start it in a "
            "context of its own: workflow.run()."
        )
    return ctx._behind
