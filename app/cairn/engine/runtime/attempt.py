"""Attempt: one try at a delivery. The step's results are one fact when the step completes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from weakref import ref

from cairn.engine.core.facts import Caught, Completed, Sent, TimedOut, Waiting
from cairn.engine.core.snapshot import Buffered, Delivery, Wait
from cairn.engine.errors import WorkflowRuntimeError
from cairn.engine.language.context import UNDER_WAY, Context
from cairn.engine.language.events import Event, EventBatch
from cairn.engine.language.retry import RetryInfo
from cairn.engine.language.signature import Signature
from cairn.engine.runtime.live_state import StepStateView
from cairn.engine.runtime.parts import Parts
from cairn.engine.runtime.step_context import StepContext
from cairn.engine.runtime.threads import in_thread
from cairn.engine.runtime.tries import NO_EARLIER
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import BATCH, SealedEvent, pack


class Attempt:
    """One try at a delivery, from the start to completion, failure or interruption.

    Attributes:
        delivery: the event, and the step that takes the event.
        retry: the failed attempts before this one.
        task: the task that executes the step; `None` while the attempt is queued.
        worker: the number of the step worker; `None` while the attempt is queued or waits.
        is_over: true once the attempt has no further results.
        began: the start, in seconds of the monotonic clock; 0 before the start.
    """

    __slots__ = (
        "__weakref__",
        "_collects",
        "_context",
        "_graph",
        "_parts",
        "_reported",
        "_sent",
        "_settled",
        "_to_skip",
        "_view",
        "_waits",
        "began",
        "delivery",
        "is_over",
        "retry",
        "task",
        "worker",
    )

    def __init__(self, delivery: Delivery, parts: Parts[Attempt], retry: RetryInfo) -> None:
        self.delivery = delivery
        self.retry = retry
        self.worker: int | None = None
        self.task: asyncio.Task[None] | None = None
        self.is_over = False
        self.began = 0.0
        self._parts = parts
        self._graph = parts.graph
        self._view: StepStateView | None = None
        self._context: Context[Any] | None = None
        self._collects = 0
        self._sent: list[Sent] = []
        self._waits: dict[str, int] | None = None
        self._to_skip = delivery.sent  # committed already when an earlier attempt began to wait
        self._reported = 0
        self._settled: asyncio.Event | None = None

    @property
    def number(self) -> int:
        """The number of the attempt at the delivery, from 1, with those of earlier processes."""
        earlier = self._parts.earlier.get(self.delivery.id, NO_EARLIER)
        return self.retry.retry_number + earlier.interrupted + 1

    async def execute(self) -> Completed:
        """Execute the step, and return its results as a fact.

        Raises:
            WorkflowRuntimeError: the step returned a value that is neither `None` nor an event.
            SerializationError: a result cannot be stored.
            BaseException: the exception of the step, or of a resource's factory.
        """
        self.began = time.monotonic()
        UNDER_WAY.set(ref(self))
        step = self._graph.steps[self.delivery.step]
        function: Callable[..., Any] = self._parts.program.function(step)
        arguments = self._arguments(step.signature)
        if step.signature.resources or step.signature.workflows:
            arguments |= await self._parts.program.provide(step)
        if step.is_async:
            output = await function(**arguments)
        else:
            output = await in_thread(function, arguments)
        return self._complete(step.signature, output)

    def _arguments(self, signature: Signature) -> dict[str, Any]:
        event: Any = self._graph.serializer.open(self.delivery.event)
        arguments: dict[str, Any]
        if self.delivery.event.type != BATCH:
            arguments = {signature.event_parameter: event}
        elif signature.slots:
            arguments = dict(zip(signature.slots, event.events, strict=True))
        else:
            arguments = {signature.event_parameter: event.events}
        if signature.context_parameter is not None:
            arguments[signature.context_parameter] = self.context
        return arguments

    @property
    def context(self) -> Context[Any]:
        """The context that the step is given."""
        if self._context is None:
            self._context = StepContext(self, self._graph.state_type)
        return self._context

    # Reports, and their commits

    def settle(self) -> None:
        """Count one report as committed; a no-op if all reports are."""
        if self._reported:
            self._reported -= 1
            if not self._reported and self._settled is not None:
                self._settled.set()

    async def settled(self) -> None:
        """Wait until all reports of the attempt are committed."""
        if self._reported:
            self._settled = asyncio.Event()
            await self._settled.wait()

    def _report(self, fact: Waiting | TimedOut) -> None:
        self._reported += 1
        self._parts.progress.put((fact, self, None))

    # Calls of the step

    @property
    def state(self) -> StepStateView:
        """The run's state, with the copies of values that this step holds."""
        if self._view is None:
            self._view = StepStateView(self.delivery.id, self._parts.state, self._graph.serializer)
        return self._view

    def send(self, event: Event, step: str | None) -> None:
        """Keep a copy of an event until the step completes or begins to wait.

        Raises:
            WorkflowRuntimeError: the object is no event, or the named step does not take the event.
            SerializationError: a field cannot be stored.
        """
        self._check_event(event, "sent")
        sent = Sent(self._graph.serializer.seal(event), step)
        if step is not None:
            self._graph.check_step(step, sent.event.type)
        if self._to_skip:
            self._to_skip -= 1
        else:
            self._sent.append(sent)

    def collect(
        self, event: Event, expected: Sequence[type[Event]], buffer: str
    ) -> list[Event] | None:
        """Put an event into a buffer; take the expected events once the buffer has all of these.

        Args:
            event: the event.
            expected: the types of the expected events, in the order of the result.
            buffer: the name of the buffer.

        Returns:
            The expected events; `None` while one of these is missing.
        """
        serializer = self._graph.serializer
        sealed = serializer.seal(event)
        entry = Buffered(self.delivery.id, self.delivery.step, buffer, self._collects, sealed)
        self._collects += 1
        found = self._parts.loop.call(partial(self._parts.buffers.collect, entry, expected))
        return None if found is None else [serializer.open(item) for item in found]

    async def wait(
        self,
        kind: type[Event],
        question: Event | None,
        waiter: str | None,
        requirements: Mapping[str, Any],
        timeout: float | None,
    ) -> Event:
        """Wait for an event of a type, with the required fields.

        A run begins each wait once. A later attempt finds the wait with its answer, or with the
        seconds that are left.

        Args:
            kind: the type of the awaited event.
            question: an event for the watchers of the run, shown when the wait begins.
            waiter: the name of the wait; by default made of the type and the requirements.
            requirements: values of the event's fields, by name.
            timeout: the longest wait, in seconds; `None` is without end.

        Raises:
            TimeoutError: the time is up.
        """
        serializer = self._graph.serializer
        serializer.learn(kind)  # no annotation of a step need name the type
        wanted: dict[str, Json] = {
            name: serializer.encode(value, f"requirements[{name!r}]")
            for name, value in requirements.items()
        }
        waiter = self._numbered(waiter or f"{kind.__name__} {wanted or ''}".strip())
        sealed = None if question is None else serializer.seal(question)
        wait = Wait(
            self.delivery.id, waiter, kind.__name__, wanted, timeout, sealed, since=time.time()
        )
        return serializer.open(await self._answer(wait))

    async def _answer(self, wait: Wait) -> SealedEvent:
        parts = self._parts
        known = parts.progress.snapshot.waits.get(wait.key)
        if known is not None and known.answer is not None:
            return known.answer
        if known is not None and known.over:  # the time was up in an earlier attempt
            raise TimeoutError
        parts.publisher.ask(wait)
        if known is not None:
            wait = wait._replace(timeout=_seconds_left(timeout=wait.timeout, since=known.since))
            parts.give_back(self)  # the wait of an earlier attempt is committed already
        else:
            sent, self._sent = tuple(self._sent), []
            self._report(Waiting(wait, sent, *parts.buffers.news()))
        return await parts.waiting.answer(self, wait)

    def goes_on(self) -> None:
        """Have the run's status set to running: the step goes on after a wait."""
        self._parts.progress.wake()

    async def give_up(self, wait: Wait) -> None:
        """Report that the time of the wait is up, and return once the report is committed."""
        self._report(TimedOut(self.delivery.id, wait.key))
        await self.settled()

    def show(self, event: Event) -> None:
        """Show an event to the watchers of the run.

        Raises:
            WorkflowRuntimeError: the object is no event.
            SerializationError: the event can be neither copied nor stored.
        """
        self._check_event(event, "wrote to the stream")
        try:
            shown = event.model_copy(deep=True)  # the step may change its own
        except Exception:  # of any kind, from a field; an error of `seal` names the field
            shown = self._graph.serializer.open(self._graph.serializer.seal(event))
        show = self._parts.publisher.show
        self._parts.loop.call(partial(show, shown, self.delivery, self.number))

    def running_steps(self) -> list[str]:
        """The names of the run's steps that are under way."""
        return self._parts.running_steps()

    # The end

    def abandon(self) -> None:
        """Drop all changes of the attempt, which has failed."""
        self._context = None
        if self._view is not None:
            self._view.abandon()

    def caught(self, failure: SealedEvent, handler: str) -> Caught:
        """Drop the attempt's results, and hand the failure to its handler."""
        buffers = self._parts.buffers
        buffers.abandon(self.delivery.id)
        return Caught(self.delivery.id, failure, handler, *buffers.news())

    def _complete(self, signature: Signature, output: object) -> Completed:
        """Return all results of the step, which has completed, as one fact."""
        given = None if output is None else self._seal(signature, output)
        changes = None if self._view is None else self._view.changes()
        buffers = self._parts.buffers
        buffers.complete(self.delivery.id)
        self._context = None  # breaks a cycle that the garbage collector would have to find
        return Completed(self.delivery.id, tuple(self._sent), given, changes, *buffers.news())

    def _seal(self, signature: Signature, output: object) -> SealedEvent:
        """Copy the event, or the list of events, that the step has returned.

        Raises:
            WorkflowRuntimeError: the output does not fit the step's return annotation.
            SerializationError: a field cannot be stored.
        """
        seal = self._graph.serializer.seal
        if isinstance(output, list) and signature.gives_lists:
            for event in output:
                self._check_event(event, "returned in its list")
            return pack([seal(event) for event in output])
        if Event not in type(output).__mro__:  # isinstance takes ten times as long for a model
            self._check_event(output, "returned")
        if type(output) is EventBatch:
            raise WorkflowRuntimeError(
                f"Step {self.delivery.step!r} returned an EventBatch, which is how a list is kept: "
                "return the list."
            )
        if signature.gives_lists and not isinstance(output, signature.gives_alone):
            raise WorkflowRuntimeError(
                f"Step {self.delivery.step!r} returned a {type(output).__name__} that is in no "
                "list, and its return annotation names it in a list only."
            )
        return seal(output)  # type: ignore[arg-type]  # checked above

    def _numbered(self, waiter: str) -> str:
        """The name of a wait, made unique: the step's second "Reply" is "Reply #2"."""
        waits = self._waits = self._waits or {}
        count = waits[waiter] = waits.get(waiter, 0) + 1
        return waiter if count == 1 else f"{waiter} #{count}"

    def _check_event(self, event: object, verb: str) -> None:
        if not isinstance(event, Event):
            raise WorkflowRuntimeError(
                f"Step {self.delivery.step!r} {verb} a {type(event).__name__}, which is no Event."
            )


def _seconds_left(timeout: float | None, since: float | None) -> float | None:
    """The seconds left of a wait; all its seconds if the time of its begin is unknown."""
    if timeout is None or since is None:
        return timeout
    return min(timeout, max(0.0, timeout - (time.time() - since)))  # clocks can be set back
