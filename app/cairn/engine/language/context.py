"""Context: the state that the runs started in it share, and what a step can ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Generic, Protocol, cast
from weakref import ReferenceType

from pydantic import BaseModel
from typing_extensions import TypeVar

from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.language.behind import Behind
from cairn.engine.language.checkpoint import Checkpoint, filtered
from cairn.engine.language.events import Event
from cairn.engine.language.retry import RetryInfo
from cairn.engine.language.serializers import BaseSerializer
from cairn.engine.language.state_store import DictState, StateStore

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=BaseModel, default=DictState)
MISSING: Any = ...


class MakesContexts(Protocol):
    """A workflow, as far as its contexts are made by it."""

    def context_behind(
        self, previous: Mapping[str, Any] | None, serializer: BaseSerializer | None
    ) -> Behind:
        """What stands behind a context of the workflow; see `Context`."""


class HasContext(Protocol):
    """An attempt, as far as it has a context."""

    @property
    def context(self) -> Context[Any]:
        """The context that the step is given."""


UNDER_WAY: ContextVar[ReferenceType[HasContext] | None] = ContextVar("UNDER_WAY", default=None)
"""The step that is being executed, for functions that it calls. What they leave behind, such as a
timer, has a copy of it, and must not keep the run in memory."""


class Context(Generic[S]):
    """State that runs share, and the checkpoints they leave.

        ctx = Context(workflow=workflow)
        await workflow.run(ctx=ctx, topic="math")
        ctx.checkpoints

    Runs in one context take turns. It stands where the run that ended last in it has left it.

    A step with a parameter annotated `Context` is given one of its own, through which it reads
    and writes that state and sends events. What it writes is seen by the other steps of the run
    at once, and is kept, together with all it sends, when the step completes; of a step that
    fails nothing is kept.
    """

    def __init__(
        self,
        workflow: MakesContexts,
        previous_context: Mapping[str, Any] | None = None,
        serializer: BaseSerializer | None = None,
    ) -> None:
        """Make a context for the runs of a workflow.

        Args:
            previous_context: what `to_dict` has made of another, to go on from there.
            serializer: the one that `to_dict` was given, if it was given one.

        Raises:
            ContextSerdeError: it is not what `to_dict` has made, or not of this workflow.
        """
        self._behind: Behind = workflow.context_behind(previous_context, serializer)

    # What whoever holds the context can ask

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints of all the runs in this context, oldest first."""
        return self._behind.checkpoints()

    def filter_checkpoints(
        self,
        last_completed_step: str | None = None,
        input_event_type: type[Event] | str | None = None,
        output_event_type: type[Event] | str | None = None,
    ) -> list[Checkpoint]:
        """The checkpoints that match all the filters given.

        Args:
            last_completed_step: the name of the step that completed last.
            input_event_type: the exact type of the event that it took, or the type's name.
            output_event_type: the exact type of the event that it gave, or the type's name.

        Raises:
            ValueError: no filter is given.
        """
        return filtered(self.checkpoints, last_completed_step, input_event_type, output_event_type)

    @property
    def is_running(self) -> bool:
        """Whether a run is under way in this context, or was when it was written by `to_dict`."""
        return self._behind.is_running

    async def running_steps(self) -> list[str]:
        """The names of the steps under way in this context's runs.

        Steps that wait for an event are left out.
        """
        return await self._behind.running_steps()

    def stream_events(self, expose_internal: bool = False) -> AsyncIterator[Event]:
        """What the run started last in this context shows; see `Handler.stream_events`.

        Raises:
            ContextStateError: none has been started.
        """
        return self._behind.stream_events(expose_internal)

    def get_result(self) -> Any:
        """What the run started last in this context came to; see `Handler.result`.

        Raises:
            ContextStateError: none has been started.
        """
        return self._behind.result()

    @staticmethod
    def get_step_context() -> Context[Any]:
        """The context of the step that is being executed, for functions that it calls.

        Raises:
            WorkflowRuntimeError: this is called in no step.
        """
        found = UNDER_WAY.get()
        attempt = None if found is None else found()
        if attempt is None:
            raise WorkflowRuntimeError("get_step_context can only be used in a step.")
        return attempt.context

    def to_dict(
        self, serializer: BaseSerializer | None = None, *, include_state: bool = True
    ) -> dict[str, Any]:
        """The context as a dict of JSON's types.

        The dict has the state, and all that is pending in the run under way or in a run that was
        cancelled last. Checkpoints are left out.

        Args:
            serializer: writes the parts as text in the dict; by default they are spelled out.
            include_state: whether the state is written; what is read begins without one otherwise.

        Raises:
            ContextStateError: this is the context of a step.
        """
        return self._behind.to_dict(serializer, include_state)

    @classmethod
    def from_dict(
        cls,
        workflow: MakesContexts,
        data: Mapping[str, Any],
        serializer: BaseSerializer | None = None,
    ) -> Context[S]:
        """The context that `to_dict` has written.

        If a run was under way, the next `run` in the context goes on with that run.

        Args:
            serializer: the one that `to_dict` was given, if it was given one.

        Raises:
            ContextSerdeError: it is not what `to_dict` has made.
        """
        return cls(workflow, data, serializer)

    # State

    async def get(self, key: str, default: Any = MISSING) -> Any:
        """The value under the key: a copy, which the step may change in place.

        Raises:
            ValueError: there is no such key, and no default is given.
        """
        try:
            return self._behind.cells().get(key, default)
        except KeyError:
            raise ValueError(
                f"There is no {key!r} in the context. Set it first, or give a default."
            ) from None

    async def set(self, key: str, value: Any) -> None:
        """Put the value, as it is now, under the key.

        Raises:
            SerializationError: it cannot be stored; the message names the key and the type.
            WorkflowRuntimeError: a run is under way, and this is not one of its steps.
        """
        if not isinstance(key, str):
            raise WorkflowRuntimeError(f"A key of the context must be text, not {key!r}.")
        self._behind.cells().set(key, value)

    def clear(self) -> None:
        """Take all keys away.

        Raises:
            WorkflowRuntimeError: a run is under way, and this is not one of its steps.
        """
        cells = self._behind.cells()
        for key in cells.keys():  # noqa: SIM118  # it is no mapping
            cells.delete(key)

    @property
    def store(self) -> StateStore[S]:
        """The state: by path, whole, or edited in one go.

        The type is the one in the steps' annotations, `Context[MyState]`, or else `DictState`.
        """
        return StateStore(self._behind.cells(), cast("type[S]", self._behind.state_type))

    def retry_info(self) -> RetryInfo:
        """How often this step has been tried before, for the event it works on."""
        return self._behind.retry_info()

    # What only a step can do

    def send_event(self, message: Event, step: str | None = None) -> None:
        """Send an event, to every step that takes its type or to the one named.

        It is taken as it is now. From a step it goes out when that completes, or begins to wait;
        from outside, with the context of a run under way, at once.

        Raises:
            WorkflowRuntimeError: there is no such step, it does not take this type, or no run is
                under way.
            SerializationError: a field cannot be stored; the message names it.
        """
        self._behind.send(message, step)

    def collect_events(
        self, ev: Event, expected: Sequence[type[Event]], buffer_id: str | None = None
    ) -> list[Event] | None:
        """Put the event by until there is one for each of the expected types.

        Args:
            expected: the types, one entry for each event: `[Result] * 3` waits for three.
            buffer_id: where to put it by; each step has one place that needs no name.

        Returns:
            The events in the order of `expected`, those of one type in the order they were sent,
            or `None` while some are missing. What is left over stays for the next call.
        """
        return self._behind.collect(ev, expected, buffer_id or "default")

    async def wait_for_event(
        self,
        event_type: type[E],
        waiter_event: Event | None = None,
        waiter_id: str | None = None,
        requirements: Mapping[str, Any] | None = None,
        timeout: float | None = None,  # the name users of the language know
    ) -> E:
        """Wait, in the middle of the step, for an event from outside or from another step.

        The run leaves a checkpoint as the step begins to wait. The step goes on where it stood.
        Started again from there, by a rerun or after a crash, it runs from its top, and finds the
        event if it has come in the meantime.

        Args:
            event_type: the exact type to wait for.
            waiter_event: shown to whoever watches the run, to ask for the event.
            waiter_id: tells apart the waits of one step; by default made from the type and the
                requirements.
            requirements: fields that the event must have, with these values.
            timeout: seconds to wait; `None` is without end.

        Raises:
            TimeoutError: the time is up.
        """
        event = await self._behind.wait(
            event_type, waiter_event, waiter_id, requirements or {}, timeout
        )
        assert isinstance(event, event_type)
        return event

    def write_event_to_stream(self, ev: Event | None) -> None:
        """Show an event, at once, to whoever watches the run."""
        if ev is not None:
            self._behind.show(ev)
