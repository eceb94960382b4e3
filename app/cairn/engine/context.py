"""Context: the state that the runs started in it share, and what a step can ask for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic, cast
from weakref import ReferenceType

from immutables import Map
from pydantic import BaseModel
from typing_extensions import TypeVar

from cairn.engine.checkpoint import Checkpoint, checkpoints_of, filtered
from cairn.engine.contexts import read_context, write_context
from cairn.engine.errors import (
    ContextStateError,
    WorkflowConfigurationError,
    WorkflowRuntimeError,
)
from cairn.engine.events import Event
from cairn.engine.marks import Json
from cairn.engine.memory import MemoryJournal
from cairn.engine.resting import RestingState
from cairn.engine.retry import RetryInfo
from cairn.engine.serializers import BaseSerializer
from cairn.engine.snapshot import Snapshot
from cairn.engine.store import Cells, DictState, StateStore

if TYPE_CHECKING:
    from cairn.engine.flight import Flight
    from cairn.engine.graph import Graph
    from cairn.engine.handler import Handler
    from cairn.engine.state import LiveState
    from cairn.engine.workflow import Workflow

E = TypeVar("E", bound=Event)
S = TypeVar("S", bound=BaseModel, default=DictState)
MISSING: Any = ...

UNDER_WAY: ContextVar[ReferenceType[Flight] | None] = ContextVar("UNDER_WAY", default=None)
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
        workflow: Workflow,
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
        self._workflow = workflow
        self._journal = MemoryJournal(lambda: workflow.graph.routes)
        self._state: Map[str, Json] = Map()
        self._under_way: list[Handler] = []
        self._flight: Flight | None = None
        self._graph = workflow.graph
        self._unfinished: Snapshot | None = None
        self._newest: Handler | None = None
        self._editing = asyncio.Lock()
        if previous_context is not None:
            snapshot, is_running = read_context(previous_context, serializer)
            self._state = snapshot.state
            self._unfinished = snapshot if is_running else None

    @classmethod
    def _within(cls, flight: Flight, graph: Graph) -> Context[Any]:
        """The context that a step is given."""
        ctx = cls.__new__(cls)
        ctx._flight = flight
        ctx._graph = graph
        return ctx

    # What whoever holds the context can ask

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints of all the runs in this context, oldest first."""
        if self._flight is not None:
            raise ContextStateError("A step cannot list checkpoints: its own is not there yet.")
        return checkpoints_of(self._workflow, self._journal)

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
        if self._flight is not None:
            return True
        return bool(self._under_way) or self._unfinished is not None

    async def running_steps(self) -> list[str]:
        """The names of the steps under way in this context's runs; those that wait for an event
        are left out."""
        if self._flight is not None:
            return self._flight.running_steps()
        handlers = self._under_way or [self._of_newest("running_steps")]
        names = [name for handler in handlers for name in await handler.running_steps()]
        return list(dict.fromkeys(names))

    def stream_events(self, expose_internal: bool = False) -> AsyncIterator[Event]:
        """What the run started last in this context shows; see `Handler.stream_events`.

        Raises:
            ContextStateError: none has been started.
        """
        return self._of_newest("stream_events").stream_events(expose_internal)

    def get_result(self) -> Any:
        """What the run started last in this context came to; see `Handler.result`.

        Raises:
            ContextStateError: none has been started.
        """
        return self._of_newest("get_result").result()

    @staticmethod
    def get_step_context() -> Context[Any]:
        """The context of the step that is being executed, for functions that it calls.

        Raises:
            WorkflowRuntimeError: this is called in no step.
        """
        found = UNDER_WAY.get()
        flight = None if found is None else found()
        if flight is None:
            raise WorkflowRuntimeError("get_step_context can only be used in a step.")
        return flight.context

    def to_dict(
        self, serializer: BaseSerializer | None = None, *, include_state: bool = True
    ) -> dict[str, Any]:
        """The context as a dict of JSON's types: its state, and what is pending of the run under
        way, or of one that was cancelled last. Its checkpoints are not part of it.

        Args:
            serializer: writes the parts as text in the dict; by default they are spelled out.
            include_state: whether the state is written; what is read begins without one otherwise.

        Raises:
            ContextStateError: this is the context of a step.
        """
        if self._flight is not None:
            raise ContextStateError("A step cannot write its context: its own is half done.")
        return write_context(*self._stands(), serializer, include_state)

    @classmethod
    def from_dict(
        cls,
        workflow: Workflow,
        data: Mapping[str, Any],
        serializer: BaseSerializer | None = None,
    ) -> Context[S]:
        """The context that `to_dict` has written. If a run was under way, the next `run` in it goes
        on with that one.

        Args:
            serializer: the one that `to_dict` was given, if it was given one.

        Raises:
            ContextSerdeError: it is not what `to_dict` has made.
        """
        return cls(workflow, data, serializer)

    def _stands(self) -> tuple[Snapshot, bool]:
        """Where it stands, and whether a run is under way there."""
        if self._under_way:
            snapshot = self._under_way[-1].snapshot
            return (Snapshot(state=self._state) if snapshot is None else snapshot), True
        if self._unfinished is not None:
            return self._unfinished, True
        if self._newest is not None and self._newest.cancelled() and self._newest.snapshot:
            return self._newest.snapshot, True
        return Snapshot(state=self._state), False

    def _live_state(self) -> LiveState | None:
        """The state as the steps of the run under way see it, if there is one."""
        return self._under_way[-1].live if self._under_way else None

    # State

    async def get(self, key: str, default: Any = MISSING) -> Any:
        """The value under the key: a copy, which the step may change in place.

        Raises:
            ValueError: there is no such key, and no default is given.
        """
        try:
            return self._cells().get(key, default)
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
        self._cells().set(key, value)

    def clear(self) -> None:
        """Take all keys away.

        Raises:
            WorkflowRuntimeError: a run is under way, and this is not one of its steps.
        """
        cells = self._cells()
        for key in cells.keys():  # noqa: SIM118  # it is no mapping
            cells.delete(key)

    @property
    def store(self) -> StateStore[S]:
        """The state by path, whole, or edited in one go. Of the type that the steps' annotations
        name, `Context[MyState]`; otherwise a `DictState`."""
        return StateStore(self._cells(), cast("type[S]", self._graph.state_type))

    def retry_info(self) -> RetryInfo:
        """How often this step has been tried before, for the event it works on."""
        return self._step("retry_info").retry

    def _cells(self) -> Cells:
        return RestingState(self) if self._flight is None else self._step("the state").state

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
        if self._flight is not None:
            self._step("send_event").send(message, step)
        elif self._under_way:
            self._under_way[-1].send_event(message, step)
        elif not self._was_just_given(message):
            raise ContextStateError(
                "No run is under way in this context: nobody is there to take the event. "
                "Start one first, workflow.run(ctx=ctx)."
            )

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
        flight = self._step("collect_events")
        return flight.collect(ev, expected, buffer_id or "default") if expected else []

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
        flight = self._step("wait_for_event")
        event = await flight.wait(event_type, waiter_event, waiter_id, requirements or {}, timeout)
        assert isinstance(event, event_type)
        return event

    def write_event_to_stream(self, ev: Event | None) -> None:
        """Show an event, at once, to whoever watches the run."""
        if ev is not None:
            self._step("write_event_to_stream").show(ev)

    def _step(self, what: str) -> Flight:
        if self._flight is None:
            raise ContextStateError(f"{what} can only be used in a step, on its own context.")
        if self._flight.is_over:
            raise ContextStateError(
                f"Step {self._flight.delivery.step!r} has returned: {what} of its context can only "
                "be used while it is under way."
            )
        return self._flight

    def _begin(self, handler: Handler) -> None:
        """A run begins in this context."""
        self._under_way.append(handler)
        self._newest = handler

    def _end(self, handler: Handler) -> None:
        """The run has ended."""
        if handler in self._under_way:
            self._under_way.remove(handler)

    def _of_newest(self, what: str) -> Handler:
        if self._newest is None:
            raise ContextStateError(
                f"{what} needs a run: start one in this context first, workflow.run(ctx=ctx)."
            )
        return self._newest

    def _was_just_given(self, event: Event) -> bool:
        """Whether a run that went step by step, and has ended, gave this event as its last."""
        return self._newest is not None and self._newest.has_given(event)

    def _check(self, workflow: Workflow) -> None:
        if type(self._workflow) is not type(workflow):
            raise WorkflowConfigurationError(
                f"This context was made for {type(self._workflow).__name__}, and cannot be used "
                f"with {type(workflow).__name__}: make a Context(workflow=...) for it."
            )
