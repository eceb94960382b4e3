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
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import BATCH, SealedEvent, pack


class Attempt:
    """One try at a delivery, from its start until it completes, fails or is interrupted.

    Attributes:
        worker: the number of the step worker; `None` while the attempt is queued or waits.
        is_over: true once the attempt has no further results.
        began: the start, in seconds of the monotonic clock.
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
        self._to_skip = delivery.sent  # these went out when an earlier try began to wait
        self._reported = 0
        self._settled: asyncio.Event | None = None

    async def execute(self) -> Completed:
        """Execute the step, and return its results as a fact."""
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

    # Whether all that it has reported is committed

    def settle(self) -> None:
        """Take note that one report of the attempt is committed."""
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

    # What its step does

    @property
    def state(self) -> StepStateView:
        """The state as this step sees it."""
        if self._view is None:
            self._view = StepStateView(self.delivery.id, self._parts.state, self._graph.serializer)
        return self._view

    def send(self, event: Event, step: str | None) -> None:
        """Keep an event, as it is in this moment, until the step completes or begins to wait."""
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
        """Put an event by, and take the expected events if all are there."""
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
        """Wait for an event that fits; begun once, however often the step is started."""
        serializer = self._graph.serializer
        serializer.learn(kind)  # it is what comes; that no step takes it needs no annotation
        wanted: dict[str, Json] = {
            name: serializer.encode(value, f"requirements[{name!r}]")
            for name, value in requirements.items()
        }
        waiter = self._number(waiter or f"{kind.__name__} {wanted or ''}".strip())
        asked = None if question is None else serializer.seal(question)
        wait = Wait(
            self.delivery.id, waiter, kind.__name__, wanted, timeout, asked, since=time.time()
        )
        return serializer.open(await self._answer(wait))

    async def _answer(self, wait: Wait) -> SealedEvent:
        parts = self._parts
        known = parts.progress.snapshot.waits.get(wait.key)
        if known is not None and known.answer is not None:
            return known.answer
        if known is not None and known.over:  # it was, in an earlier try
            raise TimeoutError
        parts.publisher.ask(wait)
        if known is not None:
            wait = wait._replace(timeout=_left(timeout=wait.timeout, since=known.since))
            parts.give_back(self)  # it began in an earlier try, and is committed
        else:
            sent, self._sent = tuple(self._sent), []
            self._report(Waiting(wait, sent, *parts.buffers.news()))
        return await parts.waiting.answer(self, wait)

    def goes_on(self) -> None:
        """Take note that the step goes on after a wait."""
        self._parts.progress.wake()

    async def give_up(self, wait: Wait) -> None:
        """The time of the wait is up; once this returns, that is committed."""
        self._report(TimedOut(self.delivery.id, wait.key))
        await self.settled()

    def show(self, event: Event) -> None:
        """Show an event to the watchers of the run."""
        self._check_event(event, "wrote to the stream")
        try:
            shown = event.model_copy(deep=True)  # as it is now, whatever becomes of it
        except Exception:  # what cannot be copied cannot be stored either, and that error is clear
            shown = self._graph.serializer.open(self._graph.serializer.seal(event))
        self._parts.loop.call(partial(self._parts.publisher.show, shown))

    def running_steps(self) -> list[str]:
        """The names of the run's steps that are under way."""
        return self._parts.running_steps()

    # How it ends

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
        self._context = None  # it refers to this: a cycle would be left to the garbage collector
        return Completed(self.delivery.id, tuple(self._sent), given, changes, *buffers.news())

    def _seal(self, signature: Signature, output: object) -> SealedEvent:
        """The event that the step has returned, as it is in this moment."""
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

    def _number(self, waiter: str) -> str:
        """The number of this wait among the step's waits for the same event."""
        waits = self._waits = self._waits or {}
        count = waits[waiter] = waits.get(waiter, 0) + 1
        return waiter if count == 1 else f"{waiter} #{count}"

    def _check_event(self, event: object, done: str) -> None:
        if not isinstance(event, Event):
            raise WorkflowRuntimeError(
                f"Step {self.delivery.step!r} {done} a {type(event).__name__}, which is no Event."
            )


def _left(timeout: float | None, since: float | None) -> float | None:
    """The seconds left of a wait; all its seconds, if the begin is unknown."""
    if timeout is None or since is None:
        return timeout
    return min(timeout, max(0.0, timeout - (time.time() - since)))  # clocks can be set back
