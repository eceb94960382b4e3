"""Carries one run forward until it ends, or has nothing to do but wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from cairn.engine.attempts import Attempts
from cairn.engine.audience import Audience
from cairn.engine.buffers import LiveBuffers
from cairn.engine.errors import WorkflowCancelledByUser, WorkflowRuntimeError, WorkflowTimeoutError
from cairn.engine.facts import Completed, Fact, Received, Sent, TimedOut, Waiting
from cairn.engine.flight import Flight
from cairn.engine.journal import ENDED, End, Head, Journal, Record, Status
from cairn.engine.limits import NO_LIMITS, Limits
from cairn.engine.progress import Progress
from cairn.engine.retry import RetryInfo
from cairn.engine.snapshot import NOTHING, Delivery, Snapshot, Wait
from cairn.engine.state import LiveState
from cairn.engine.turns import Turns
from cairn.engine.waiting import WaitingSteps

if TYPE_CHECKING:
    from cairn.engine.workflow import Workflow


T = TypeVar("T")

INTERRUPT_SECONDS = 5.0
FIRST_TRY = RetryInfo()


class Runner(Progress):
    """One run, under way in this process.

    It does one thing: start what is pending. That is how a run begins, goes on, is taken over
    after a crash and is rerun.

    Attributes:
        held: what is pending and not started, of a run that goes step by step; otherwise `None`.
    """

    def __init__(
        self,
        workflow: Workflow,
        journal: Journal,
        run: UUID,
        snapshot: Snapshot,
        head: Head,
        audience: Audience | None = None,
        limits: Limits = NO_LIMITS,
        seconds_left: float | None = None,
    ) -> None:
        graph = workflow.graph
        turns = Turns({step.name: step.num_workers for step in graph.steps.values()})
        snapshot = snapshot.renamed(graph.renamed)
        super().__init__(journal, graph.routes, run, snapshot, head, turns)
        self.held: dict[int, Delivery] | None = None
        self.workflow = workflow
        self.graph = graph
        self.live = LiveState(snapshot.state)
        self.buffers = LiveBuffers(snapshot)
        self.waiting = WaitingSteps(turns)
        self.audience = audience or Audience(graph)
        self.draining = asyncio.Event()
        self._limits = limits
        self._seconds_left = seconds_left
        self._flights: dict[int, Flight] = {}
        self._stays = True
        self._has_started = False
        self._thread = threading.current_thread()

    # What may be said to it

    def tell(self, received: Received, message: UUID | None = None) -> None:
        """An event came from outside."""
        self._put((received, None, message))

    def cancel(self) -> None:
        """End the run. What is under way is stopped, and stays pending."""
        self._put(End("cancelled", WorkflowCancelledByUser("The run was cancelled.")))

    def drain(self) -> None:
        """Start nothing more: `drive` returns once what is under way has completed."""
        self.draining.set()
        self._turns.close()
        self.nudge()

    # Its life

    async def drive(self, *, stay: bool) -> Status:
        """Carry the run forward.

        Args:
            stay: whether to stay when nothing is left to do but wait for events from outside;
                otherwise it returns then. A step that waits in its middle stays in any case.

        Returns:
            How the run stands: ended, `waiting`, or `running` when it was drained.

        Raises:
            HeadMoved: somebody else has moved the run on.
        """
        self._stays = stay
        timers, seconds = [], self.workflow.timeout
        if seconds is not None:
            timers.append(self._loop.call_later(seconds, self._time_out, seconds))
        if self._seconds_left is not None:
            late = End("failed", self._limits.late())
            timers.append(self._loop.call_later(max(0, self._seconds_left), self._put, late))
        try:
            self._offer()
            if not self._news:
                self._start_pending()
            await self._begin()
        finally:
            for timer in timers:
                timer.cancel()
            await self._interrupt()
        return self.status

    def _start_pending(self) -> None:
        """Start what is pending: at once, or when what was said to the run before is committed. An
        answer that came in time is there then, before a step finds that its time is up."""
        self._has_started = True
        for delivery in self.snapshot.pending():
            wait = self.snapshot.parked_at(delivery)
            if wait is not None:
                self.audience.ask(wait)
            elif delivery.id not in self._flights:
                self._start(delivery)

    def _offer(self) -> None:
        """Give events that no step took when they came to the steps that take them now: the code
        may have changed since."""
        for id_, event in sorted(self.snapshot.unclaimed.items(), key=itemgetter(0)):
            route = self.graph.routes[event.type]
            if route.starts and not route.asks:
                self._put((Received(Sent(event), id_), None, None))

    def running_steps(self) -> list[str]:
        """The steps under way, those that wait in their middle left out."""
        working = (f.delivery.step for f in self._flights.values() if f.worker is not None)
        return list(dict.fromkeys(working))

    def step_of(self, task: asyncio.Task[object]) -> str | None:
        """The name of the step that the task executes, if it is one of the run's."""
        flights = list(self._flights.values())
        return next((f.delivery.step for f in flights if f.task is task), None)

    def give_back(self, flight: Flight) -> None:
        """The step waits: another can have its worker."""
        self.waiting.rest(flight)
        self.nudge()

    def release(self) -> None:
        """Start what is held back."""
        held, self.held = self.held or {}, None
        for delivery in held.values():
            self._start(delivery)
        self.held = {}

    def report(self, flight: Flight, fact: Fact) -> None:
        """A step has more to report while it goes on."""
        self._put((fact, flight, None))

    def _is_over(self) -> bool:
        if self.status in ENDED:
            return True
        if self.draining.is_set():
            return not self._turns.working
        return self.status == "waiting" and not (self._stays or self._flights)

    def _rests(self) -> None:
        self.audience.idle()

    def _follow(self, flight: Flight | None, entry: Record, has_ended: bool) -> None:
        fact, delta = entry.fact, entry.delta
        if not self._has_started and not has_ended:
            self._start_pending()  # in the order of sending: before what the fact has brought
        if flight is not None:
            self._land(flight, fact)
        self.audience.hear(fact)
        if delta.unclaimed is not NOTHING:
            self.audience.unhandled(delta.unclaimed.put.values(), self._turns.idle)
        if has_ended:
            return
        if self._limits is not NO_LIMITS and self._exceeds(entry):
            return
        if type(fact) is Completed and fact.changes:
            self.live.commit(fact.delivery, fact.changes, entry.snapshot.state)
        if delta.deliveries is not NOTHING:
            for id_, delivery in delta.deliveries.put.items():
                if id_ not in self._flights:
                    self._start(delivery)
        if delta.waits is not NOTHING:
            for wait in delta.waits.put.values():
                if wait.answer is not None:
                    self._answered(wait, entry.snapshot)

    def _exceeds(self, entry: Record) -> bool:
        """Whether the run has come to more than it may: then it is ended."""
        over = self._limits.over(entry.seq, len(entry.snapshot.deliveries))
        if over is not None:
            self._put(End("failed", over))
        return over is not None

    def _land(self, flight: Flight, fact: Fact) -> None:
        flight.settle()
        if type(fact) is Waiting:
            self.waiting.begin(flight, fact.wait)
        if type(fact) in (Waiting, TimedOut):
            return
        self.audience.step_ends(flight.delivery, flight.worker, fact)
        del self._flights[flight.delivery.id]
        self.waiting.rest(flight)

    def _answered(self, wait: Wait, snapshot: Snapshot) -> None:
        flight = self._flights.get(wait.delivery)
        if flight is None:
            self._start(snapshot.deliveries[wait.delivery])
        else:
            self.waiting.wake(flight, wait)

    # Executing a step

    def _start(self, delivery: Delivery) -> None:
        if self.held is not None:
            self.held[delivery.id] = delivery
            return
        if delivery.step not in self.graph.steps:
            error = WorkflowRuntimeError(f"{self.graph.lost(delivery)} Then rerun it.")
            self._put(End("failed", error, delivery.step))
            return
        flight = self.flight(delivery, FIRST_TRY)
        worker = self._turns.take(delivery.step)
        if worker is not None:
            self._take_off(flight, worker)
        else:
            self._turns.ask(delivery.step, delivery.id, partial(self._take_off, flight))
            self.audience.step_begins(delivery, None)

    def flight(self, delivery: Delivery, retry: RetryInfo) -> Flight:
        """A new try at the delivery."""
        flight = self._flights[delivery.id] = Flight(delivery, self, retry)
        return flight

    def _take_off(self, flight: Flight, worker: int) -> None:
        flight.worker = worker
        self.audience.step_begins(flight.delivery, worker)
        flight.task = self._loop.create_task(self._fly(flight), context=self._context.copy())

    async def _fly(self, flight: Flight) -> None:
        """Execute the step, and report what became of it."""
        try:
            fact = await flight.execute()
        except BaseException as error:  # whatever a step raises, it ends only its own run
            if self._flights.get(flight.delivery.id) is not flight:
                return  # it was interrupted, and stays pending
            try:
                outcome, flight = await Attempts(self).after(flight, error)
            except BaseException as stray:
                under_way = self._flights.get(flight.delivery.id)
                if under_way is None:
                    return  # as above
                outcome, flight = Attempts(self).broken(under_way, stray), under_way
        else:
            outcome = fact
        flight.is_over = True
        news = outcome if isinstance(outcome, End) else (outcome, flight, None)
        # Where commits take their time, what comes in one turn of the event loop shares one.
        self._put(news, at_once=self._commit is None)

    # Steps in threads

    def on_loop(self, function: Callable[[], T]) -> T:
        """Call the function on the run's event loop, from whichever thread."""
        if threading.current_thread() is self._thread:
            return function()
        return asyncio.run_coroutine_threadsafe(_as_coroutine(function), self._loop).result()

    # Ending

    def _time_out(self, seconds: float) -> None:
        error = WorkflowTimeoutError(f"The run took longer than {seconds:g} seconds.")
        self._put(End("failed", error))

    async def _interrupt(self) -> None:
        """Stop what is under way. It stays pending."""
        tasks = {flight.task for flight in self._flights.values() if flight.task is not None}
        self._flights = {}
        if self._commit is not None:
            self._commit.cancel()
        for task in tasks:
            task.cancel()
        if tasks:  # a step may refuse to be cancelled: it is not waited for any longer
            await asyncio.wait(tasks, timeout=INTERRUPT_SECONDS)


async def _as_coroutine(function: Callable[[], T]) -> T:
    return function()
