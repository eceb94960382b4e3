"""Context: the state that runs share, and the methods a step calls on the engine."""

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
    """A workflow, reduced to the making of contexts."""

    def context_behind(
        self, previous: Mapping[str, Any] | None, serializer: BaseSerializer | None
    ) -> Behind:
        """Return the implementation of a new context of the workflow; see `Context`."""


class HasContext(Protocol):
    """An attempt, reduced to its context."""

    @property
    def context(self) -> Context[Any]:
        """The context that the step is given."""


UNDER_WAY: ContextVar[ReferenceType[HasContext] | None] = ContextVar("UNDER_WAY", default=None)
"""The attempt that executes the current step, for functions that the step calls.

A weak reference: a timer or a task that outlives the step holds a copy of this variable, and must
not keep the run in memory.
"""


class Context(Generic[S]):
    """State that runs share, and the checkpoints that the runs leave.

        ctx = Context(workflow=workflow)
        await workflow.run(ctx=ctx, topic="math")
        ctx.checkpoints

    Runs in one context take turns: a run begins with the state that the run before has left, a
    rerun with the state of its checkpoint.

    A step with a parameter annotated `Context` is given a context of its own, to read and write the
    state and to send events. Other steps of the run see a write at once. Writes and sent events are
    kept when the step completes, together; those of a failed step are dropped.

    The methods are those of `Context` in LlamaIndex Workflows, with checkpoints added.
    """

    def __init__(
        self,
        workflow: MakesContexts,
        previous_context: Mapping[str, Any] | None = None,
        serializer: BaseSerializer | None = None,
    ) -> None:
        """Make a context for the runs of a workflow.

        Args:
            workflow: the workflow whose runs share the context.
            previous_context: a dict made by `to_dict`, whose state and unfinished run the new
                context takes over.
            serializer: the serializer that `to_dict` was given, if any.

        Raises:
            ContextSerdeError: `previous_context` was not made by `to_dict` with this serializer.
        """
        self._behind: Behind = workflow.context_behind(previous_context, serializer)

    # For the holder of a context

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints of all the runs in this context, oldest first.

        Raises:
            ContextStateError: this is the context of a step.
        """
        return self._behind.checkpoints()

    def filter_checkpoints(
        self,
        last_completed_step: str | None = None,
        input_event_type: type[Event] | str | None = None,
        output_event_type: type[Event] | str | None = None,
    ) -> list[Checkpoint]:
        """Return the checkpoints that match all the given filters.

            ctx.filter_checkpoints(last_completed_step="critique_joke", output_event_type=StopEvent)

        Args:
            last_completed_step: the name of the step that completed last.
            input_event_type: the exact type of the event that the step took, or the type's name.
            output_event_type: the exact type of the event that the step gave, or the type's name.

        Raises:
            ValueError: no filter is given.
            ContextStateError: this is the context of a step.
        """
        return filtered(self.checkpoints, last_completed_step, input_event_type, output_event_type)

    @property
    def is_running(self) -> bool:
        """True while a run is under way in this context.

        If a run was under way when `to_dict` wrote the context, the context that `from_dict` reads
        counts as running, until the next `run` goes on with the unfinished run and that run ends.
        """
        return self._behind.is_running

    async def running_steps(self) -> list[str]:
        """Return the names of the steps under way, without those that wait for an event.

        In a step, the steps of its run; outside of steps, those of all runs under way in the
        context.

        Raises:
            ContextStateError: no run has been started in this context.
        """
        return await self._behind.running_steps()

    def stream_events(self, expose_internal: bool = False) -> AsyncIterator[Event]:
        """Iterate over the events that the newest run in this context shows.

        Args:
            expose_internal: whether to include `InternalDispatchEvent`s; see
                `Handler.stream_events`.

        Raises:
            ContextStateError: no run has been started, or this is the context of a step.
        """
        return self._behind.stream_events(expose_internal)

    def get_result(self) -> Any:
        """Return the result of the newest run in this context; see `Handler.result`.

        Raises:
            ContextStateError: no run has been started, or this is the context of a step.
        """
        return self._behind.result()

    @staticmethod
    def get_step_context() -> Context[Any]:
        """Return the context of the step under way, for functions that the step calls.

        Raises:
            WorkflowRuntimeError: no step is under way here.
        """
        found = UNDER_WAY.get()
        attempt = None if found is None else found()
        if attempt is None:
            raise WorkflowRuntimeError("get_step_context can only be used in a step.")
        return attempt.context

    def to_dict(
        self, serializer: BaseSerializer | None = None, *, include_state: bool = True
    ) -> dict[str, Any]:
        """Return the context as a dict of JSON's types, for `from_dict`.

        The dict holds the state and the pending work of a run that is under way. If no run is, but
        the newest was cancelled, the dict holds the pending work of that run. Checkpoints are left
        out.

        Args:
            serializer: writes the state and the pending work as text; by default both are JSON.
            include_state: whether to write the state; without, the context read from the dict is
                empty.

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
        """Return the context that `to_dict` has written.

        If a run was under way, the next `run` in the context goes on with that run.

        Args:
            workflow: the workflow whose runs share the context.
            data: the dict that `to_dict` has made.
            serializer: the serializer that `to_dict` was given, if any.

        Raises:
            ContextSerdeError: `data` was not made by `to_dict` with this serializer.
        """
        return cls(workflow, data, serializer)

    # State

    async def get(self, key: str, default: Any = MISSING) -> Any:
        """Return a copy of the value under the key.

        A change to the copy in place counts as written, in a step.

        Args:
            key: the key of the value.
            default: returned if the key does not exist.

        Raises:
            ValueError: the key does not exist, and no default is given.
        """
        try:
            return self._behind.cells().get(key, default)
        except KeyError:
            raise ValueError(
                f"There is no {key!r} in the context. Set it first, or give a default."
            ) from None

    async def set(self, key: str, value: Any) -> None:
        """Write the value, as it is now, under the key.

        Args:
            key: the key, any text.
            value: JSON's types, dates, sets, tuples, bytes, pydantic models, dataclasses or enums.

        Raises:
            SerializationError: the value cannot be stored; the message names the key and the type.
            WorkflowRuntimeError: the key is no text, or a run is under way and this is not the
                context of one of its steps.
        """
        if not isinstance(key, str):
            raise WorkflowRuntimeError(f"A key of the context must be text, not {key!r}.")
        self._behind.cells().set(key, value)

    def clear(self) -> None:
        """Delete all keys.

        Raises:
            WorkflowRuntimeError: a run is under way, and this is not the context of one of its
                steps.
        """
        cells = self._behind.cells()
        for key in cells.keys():  # noqa: SIM118  # Cells is no mapping
            cells.delete(key)

    @property
    def store(self) -> StateStore[S]:
        """The state, to be read and written by path or as a whole.

        The state has the type that the steps' annotations name, `Context[MyState]`; without such an
        annotation, `DictState`.
        """
        return StateStore(self._behind.cells(), cast("type[S]", self._behind.state_type))

    def retry_info(self) -> RetryInfo:
        """Return the count and the last error of earlier attempts at the step's event.

        Raises:
            ContextStateError: this is not the context of a step under way.
        """
        return self._behind.retry_info()

    # For a step

    def send_event(self, message: Event, step: str | None = None) -> None:
        """Send an event to every step that takes its type, or to one step.

        The event is sealed now: later changes to the object have no effect. A step's events go out
        when the step completes or begins to wait. Outside of steps the event goes out at once, to
        the run under way in the context.

        Args:
            message: the event.
            step: the name of the only step to receive the event.

        Raises:
            WorkflowRuntimeError: `message` is no Event, the step does not exist or does not take
                this type, or no run is under way.
            SerializationError: a field cannot be stored; the message names the field.
        """
        self._behind.send(message, step)

    def collect_events(
        self, ev: Event, expected: Sequence[type[Event]], buffer_id: str | None = None
    ) -> list[Event] | None:
        """Buffer the event until there is an event for each expected type, then return those.

            events = ctx.collect_events(ev, [Result] * 3)
            if events is None:
                return None

        Events of one type are taken in the order in which they were sent. Surplus events stay in
        the buffer for later calls.

        Args:
            ev: the event to buffer.
            expected: the types, one entry for each event.
            buffer_id: the name of the buffer; a step has one unnamed buffer.

        Returns:
            The events in the order of `expected`; `None` while events are missing. If `expected` is
                empty, an empty list, and `ev` is not buffered.

        Raises:
            SerializationError: a field of the event cannot be stored; the message names the field.
            ContextStateError: this is not the context of a step under way.
        """
        return self._behind.collect(ev, expected, buffer_id or "default")

    async def wait_for_event(
        self,
        event_type: type[E],
        waiter_event: Event | None = None,
        waiter_id: str | None = None,
        requirements: Mapping[str, Any] | None = None,
        timeout: float | None = None,  # the name in LlamaIndex Workflows
    ) -> E:
        """Wait, inside the step, for an event from outside or from a step.

            answer = await ctx.wait_for_event(HumanResponseEvent, Question(text="Sure?"))

        The run leaves a checkpoint when the wait begins, and the events sent so far go out. In the
        same process the step goes on where it stood. After a crash, or in a rerun from there, the
        step runs again from its top; this call then returns the event at once if the event has come
        meanwhile.

        Args:
            event_type: the exact type to wait for.
            waiter_event: an event to show to the watchers of the run, such as a question.
            waiter_id: tells the waits of one step apart; by default made from the type and the
                requirements.
            requirements: the values that fields of the event must have, by field.
            timeout: seconds to wait; `None` waits without limit. Time passes also while no process
                drives the run.

        Raises:
            TimeoutError: no event came in time.
            SerializationError: a requirement, or a field of `waiter_event`, cannot be stored.
            ContextStateError: this is not the context of a step under way.
        """
        event = await self._behind.wait(
            event_type, waiter_event, waiter_id, requirements or {}, timeout
        )
        assert isinstance(event, event_type)
        return event

    def write_event_to_stream(self, ev: Event | None) -> None:
        """Show an event to the watchers of the run at once; `None` shows nothing.

        Raises:
            WorkflowRuntimeError: `ev` is no Event.
            ContextStateError: this is not the context of a step under way.
        """
        if ev is not None:
            self._behind.show(ev)
