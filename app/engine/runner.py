"""Carries one run forward until it ends, or has nothing to do but wait."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from app.engine.advance import advance
from app.engine.buffers import LiveBuffers
from app.engine.errors import WorkflowCancelledByUser, WorkflowRuntimeError, WorkflowTimeoutError
from app.engine.events import Event
from app.engine.facts import Completed, Fact, Received, Waiting
from app.engine.flight import Flight
from app.engine.journal import ENDED, Failure, Head, Journal, Record, Status, record
from app.engine.retry import RetryInfo
from app.engine.serialization import SealedEvent
from app.engine.snapshot import Delivery, Snapshot, Wait
from app.engine.state import LiveState
from app.engine.turns import Turns
from app.engine.waiting import WaitingSteps

if TYPE_CHECKING:
    from app.engine.workflow import Workflow


T = TypeVar("T")
log = logging.getLogger(__name__)

INTERRUPT_SECONDS = 5.0
RETRIED = "step %s failed at attempt %d, and is tried again in %.1f s: %s"


class News(NamedTuple):
    """A fact that is not committed yet, with what it came from."""

    fact: Fact
    flight: Flight | None = None
    message: UUID | None = None


class End(NamedTuple):
    """The run cannot go on: a step failed, the time is up, or somebody has cancelled it."""

    status: Status
    error: BaseException
    step: str | None = None

    @property
    def failure(self) -> Failure:
        """What is written of it."""
        try:
            message = str(self.error)
        except Exception:  # it is a user's class, and its text may be broken too
            message = "Its message cannot be read."
        return Failure(type(self.error).__name__, message, self.step)


class Runner:
    """One run, under way in this process.

    It does one thing: start what is pending. That is how a run begins, goes on, is taken over
    after a crash and is rerun.

    Attributes:
        snapshot: the run as of its newest committed checkpoint.
        head: that checkpoint.
        status: how the run stood when it was last written.
        error: why it ended, unless it completed.
    """

    def __init__(
        self,
        workflow: Workflow,
        journal: Journal,
        run: UUID,
        snapshot: Snapshot,
        head: Head,
        show: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self.snapshot = snapshot
        self.head = head
        self.status: Status = "queued"
        self.error: BaseException | None = None
        self.show = show
        self._workflow = workflow
        self._graph = workflow.graph
        self._journal = journal
        self._run = run
        self._live = LiveState(snapshot.state)
        self._buffers = LiveBuffers(snapshot)
        self._turns = Turns({step.name: step.num_workers for step in self._graph.steps.values()})
        self._news: list[News | End] = []
        self._bell: asyncio.Future[None] | None = None
        self._flights: dict[int, Flight] = {}
        self._waiting = WaitingSteps(self._turns)
        self._draining = asyncio.Event()
        self._thread = threading.current_thread()
        self._loop = asyncio.get_running_loop()

    # What may be said to it

    def tell(self, received: Received, message: UUID | None = None) -> None:
        """An event came from outside."""
        self._put(News(received, message=message))

    def cancel(self) -> None:
        """End the run. What is under way is stopped, and stays pending."""
        self._put(End("cancelled", WorkflowCancelledByUser("The run was cancelled.")))

    def drain(self) -> None:
        """Start nothing more: `drive` returns once what is under way has completed."""
        self._draining.set()
        self._turns.close()
        self._ring()

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
        timer, seconds = None, self._workflow.timeout
        if seconds is not None:
            timer = asyncio.get_running_loop().call_later(seconds, self._time_out, seconds)
        try:
            for delivery in self.snapshot.pending():
                wait = self._parked_at(delivery)
                if wait is None:
                    self._start(delivery)
                else:
                    self._ask(wait)
            while not self._is_over(stay):
                await self._go_on()
        finally:
            if timer is not None:
                timer.cancel()
            await self._interrupt()
        return self.status

    def _is_over(self, stay: bool) -> bool:
        if self.status in ENDED:
            return True
        if self._draining.is_set():
            return not self._turns.working and not self._news
        return self.status == "waiting" and not (stay or self._flights or self._news)

    async def _go_on(self) -> None:
        stands: Status = "waiting" if self._turns.idle else "running"
        if self._news or self.status != stands:
            news, self._news = self._news, []
            await self._keep(news, stands)
        else:
            self._bell = asyncio.get_running_loop().create_future()
            await self._bell

    async def _keep(self, news: list[News | End], status: Status) -> None:
        """Commit what has happened, all of it at once, and only then act on it."""
        snapshot, head, failure = self.snapshot, self.head, None
        kept: list[tuple[News, Record]] = []
        for item in news:
            status = "running"
            if isinstance(item, End):
                status, failure, self.error = item.status, item.failure, item.error
                break
            delta = advance(self._graph.routes, snapshot, item.fact)
            entry = record(uuid7(), self._run, head, item.fact, item.message, snapshot, delta)
            kept.append((item, entry))
            snapshot, head = entry.snapshot, Head(entry.id, entry.seq)
            if snapshot.stopped is not None:
                status = "completed"
                break
        await self._journal.append([entry for _, entry in kept], status, failure)
        self.snapshot, self.head, self.status = snapshot, head, status
        for item, _ in kept:
            self._announce(item.fact)
        if status not in ENDED:
            for item, entry in kept:
                self._follow(item, entry)

    def _announce(self, fact: Fact) -> None:
        """Show the questions that go out, and what ends the run."""
        for sent in (fact.sent,) if isinstance(fact, Received) else fact.sent:
            if sent.event.type in self._graph.shown:
                self.show(self._graph.serializer.open(sent.event))

    def _follow(self, news: News, entry: Record) -> None:
        """Act on a fact that is committed."""
        if news.flight is not None:
            news.flight.settled.set()
            if isinstance(news.fact, Completed):
                self._waiting.rest(news.flight)
                news.flight.commit(news.fact, entry.snapshot.state)
                del self._flights[news.flight.delivery.id]
            elif isinstance(news.fact, Waiting):
                self._waiting.begin(news.flight, news.fact.wait)
        for id_, delivery in entry.delta.deliveries.put.items():
            if id_ not in self._flights:
                self._start(delivery)
        for wait in entry.delta.waits.put.values():
            if wait.answer is not None:
                flight = self._flights.get(wait.delivery)
                if flight is None:
                    self._start(entry.snapshot.deliveries[wait.delivery])
                else:
                    self._waiting.wake(flight, wait)

    # Executing a step

    def _start(self, delivery: Delivery) -> None:
        if delivery.step not in self._graph.steps:
            error = WorkflowRuntimeError(
                f"A {delivery.event.type} is pending for step {delivery.step!r}, which is not in "
                "the workflow any more. Bring the step back, then rerun from the last checkpoint."
            )
            self._put(End("failed", error, delivery.step))
            return
        flight = Flight(delivery, self, self._graph, self._live, self._buffers, RetryInfo())
        self._flights[delivery.id] = flight
        self._turns.ask(delivery.step, delivery.id, partial(self._take_off, flight))

    def _take_off(self, flight: Flight) -> None:
        flight.works = True
        flight.task = asyncio.create_task(self._fly(flight))

    async def _fly(self, flight: Flight) -> None:
        """Execute the step, as often as its retry policy says, and report what became of it."""
        began = time.monotonic()
        policy = self._graph.steps[flight.delivery.step].retry_policy
        while True:
            news = await self._try(flight)
            flight.is_over = True
            if isinstance(news, News):
                break
            flight.abandon()
            if not isinstance(news.error, Exception):
                break
            retry = flight.retry.after(news.error, time.monotonic() - began)
            try:
                seconds = retry.delay(policy)
            except Exception as error:
                news = End("failed", _policy_failed(news, error), news.step)
                break
            if seconds is None:
                break
            log.warning(RETRIED, news.step, retry.retry_number, seconds, news.failure.message)
            await self._back_off(flight, seconds)
            flight = self._again(flight, retry)
        self._put(news)

    async def _back_off(self, flight: Flight, seconds: float) -> None:
        """Wait before the next attempt. When the run is drained there is none: the flight gives
        its worker back, and stands until it is interrupted."""
        await flight.settled.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._draining.wait(), seconds)
            self._waiting.rest(flight)
            self._ring()
            await asyncio.Future()

    async def _try(self, flight: Flight) -> News | End:
        step = flight.delivery.step
        try:
            return News(await flight.execute(self._workflow), flight)
        except Exception as error:
            return End("failed", error, step)
        except BaseException as error:  # whatever a step raises, it ends only its own run
            if self._flights.get(flight.delivery.id) is not flight:
                raise  # it was interrupted, and stays pending
            raised = WorkflowRuntimeError(f"Step {step!r} raised {type(error).__name__}: {error}")
            raised.__cause__ = error
            return End("failed", raised, step)

    def _again(self, failed: Flight, retry: RetryInfo) -> Flight:
        """A new attempt at the delivery, as it stands now."""
        delivery = self.snapshot.deliveries[failed.delivery.id]
        flight = Flight(delivery, self, self._graph, self._live, self._buffers, retry)
        flight.works, flight.task = failed.works, failed.task
        self._flights[delivery.id] = flight
        return flight

    # Waiting in the middle of a step

    def begin_wait(self, flight: Flight, waiting: Waiting) -> None:
        """A step begins to wait."""
        flight.settled.clear()
        self._put(News(waiting, flight))

    async def answer(self, flight: Flight, wait: Wait) -> SealedEvent:
        """The event that the step waits for, once it is there.

        Raises:
            TimeoutError: the time is up.
        """
        known = self.snapshot.waits.get(wait.key)
        if known is not None and known.answer is not None:
            return known.answer
        self._ask(wait)
        if known is not None:
            self._waiting.rest(flight)  # it began in an earlier try, and is committed
        self._ring()
        return await self._waiting.answer(flight, wait)

    def _ask(self, wait: Wait) -> None:
        """Show the question, if there is one, to whoever watches."""
        if wait.asked is not None:
            self.show(self._graph.serializer.open(wait.asked))

    def _parked_at(self, delivery: Delivery) -> Wait | None:
        """What its step, on its way through, waits for: it is started when that comes."""
        if not delivery.waiters:
            return None
        waits = [self.snapshot.waits[f"{delivery.id}:{waiter}"] for waiter in delivery.waiters]
        newest = waits[-1]
        answered = sum(wait.answer is not None for wait in waits)
        is_parked = answered == newest.answered and newest.timeout is None
        return newest if is_parked else None

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
        tasks = [flight.task for flight in self._flights.values() if flight.task is not None]
        self._flights = {}
        for task in tasks:
            task.cancel()
        if tasks:  # a step may refuse to be cancelled: it is not waited for any longer
            await asyncio.wait(tasks, timeout=INTERRUPT_SECONDS)

    def _put(self, news: News | End) -> None:
        self._news.append(news)
        self._ring()

    def _ring(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)


def _policy_failed(failed: End, error: Exception) -> WorkflowRuntimeError:
    raised = WorkflowRuntimeError(
        f"The retry policy of step {failed.step!r} raised {type(error).__name__}: {error}"
    )
    raised.__cause__ = failed.error
    return raised


async def _as_coroutine(function: Callable[[], T]) -> T:
    return function()
