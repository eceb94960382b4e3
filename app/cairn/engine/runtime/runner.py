"""Runner: carries one run forward to its end, or to a wait for events from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from operator import itemgetter
from types import MappingProxyType
from uuid import UUID

from cairn.engine.core.facts import Completed, Fact, Received, Sent, TimedOut, Waiting
from cairn.engine.core.records import ENDED, End, Head, Record, Status
from cairn.engine.core.snapshot import NOTHING, Delivery, Snapshot, Wait
from cairn.engine.errors import WorkflowCancelledByUser, WorkflowRuntimeError, WorkflowTimeoutError
from cairn.engine.runtime.attempt import Attempt
from cairn.engine.runtime.buffers import LiveBuffers
from cairn.engine.runtime.failure import after_burst
from cairn.engine.runtime.journal import Journal
from cairn.engine.runtime.limits import NO_LIMITS, Limits
from cairn.engine.runtime.live_state import LiveState
from cairn.engine.runtime.parts import Parts
from cairn.engine.runtime.program import Program
from cairn.engine.runtime.progress import Progress
from cairn.engine.runtime.publisher import Publisher
from cairn.engine.runtime.retrying import Outcome, paused, retried
from cairn.engine.runtime.step_workers import StepWorkers
from cairn.engine.runtime.threads import RunLoop
from cairn.engine.runtime.tries import NO_EARLIER, Earlier
from cairn.engine.runtime.waiting import WaitingSteps

INTERRUPT_SECONDS = 5.0
NOTHING_EARLIER: Mapping[int, Earlier] = MappingProxyType({})


class Runner:
    """One run, under way in this process.

    A runner starts the pending deliveries. That one rule begins a run, goes on with a run after a
    wait or a crash, and reruns a checkpoint.

    Attributes:
        program: the workflow.
        graph: the steps, and the way of each event.
        state: the run's state, with the writes of the steps under way.
        held: the pending deliveries that are not started, if the run is stepwise; otherwise `None`.
    """

    def __init__(
        self,
        program: Program,
        journal: Journal,
        run: UUID,
        snapshot: Snapshot,
        head: Head,
        publisher: Publisher | None = None,
        limits: Limits = NO_LIMITS,
        seconds_left: float | None = None,
        earlier: Mapping[int, Earlier] = NOTHING_EARLIER,
    ) -> None:
        """Prepare a run; `drive` carries the run forward.

        Args:
            program: the workflow.
            journal: commits the facts of the run.
            run: the run's id.
            snapshot: the snapshot to begin with.
            head: the checkpoint of the snapshot.
            publisher: shows the events of the run to the watchers; by default, there are none.
            limits: the bounds of the run.
            seconds_left: the rest of `limits.seconds`, in seconds; `None` is without end.
            earlier: the attempts that earlier processes have begun, by the id of the delivery.
        """
        graph = program.graph
        workers = StepWorkers({step.name: step.num_workers for step in graph.steps.values()})
        snapshot = snapshot.renamed(graph.renamed)
        self.held: dict[int, Delivery] | None = None
        self.program = program
        self._progress: Progress[Attempt] = Progress(
            journal, graph.routes, run, snapshot, head, workers, self
        )
        self.graph = graph
        self._workers = workers
        self.state = LiveState(snapshot.state)
        self._waiting = WaitingSteps(workers)
        self._publisher = publisher or Publisher(graph)
        self._attempts: dict[int, Attempt] = {}
        self._parts = Parts(
            program,
            graph,
            self._progress,
            self.state,
            LiveBuffers(snapshot),
            self._waiting,
            self._publisher,
            RunLoop(),
            self._attempts,
            earlier,
        )
        self._draining = asyncio.Event()
        self._limits = limits
        self._seconds_left = seconds_left
        self._stays = True
        self._has_started = False

    # Position

    @property
    def run(self) -> UUID:
        """The run's id."""
        return self._progress.run

    @property
    def snapshot(self) -> Snapshot:
        """The run as of its newest committed checkpoint."""
        return self._progress.snapshot

    @property
    def status(self) -> Status:
        """The run's status as of the last commit."""
        return self._progress.status

    @property
    def end(self) -> End | None:
        """The reason of the run's end, unless the run completed."""
        return self._progress.end

    def running_steps(self) -> list[str]:
        """The names of the steps under way, without those that wait for an event."""
        return self._parts.running_steps()

    def step_of(self, task: asyncio.Task[object]) -> str | None:
        """The name of the step that the task executes; `None` if the task is not the run's."""
        attempts = list(self._attempts.values())
        return next((each.delivery.step for each in attempts if each.task is task), None)

    async def rest(self) -> None:
        """Wait until nothing is under way, or the run is over."""
        await self._progress.rest()

    # Messages

    def tell(self, received: Received, message: UUID | None = None) -> None:
        """Give the run an event from outside.

        Args:
            received: the event.
            message: the id of the inbox message that the event came in, if there is one.
        """
        self._progress.put((received, None, message))

    def cancel(self) -> None:
        """End the run. Steps under way are stopped, and stay pending."""
        self._progress.put(End("cancelled", WorkflowCancelledByUser("The run was cancelled.")))

    def drain(self) -> None:
        """Start no further step: `drive` returns once the steps under way have completed."""
        self._draining.set()
        self._workers.close()
        self._progress.wake()

    # Driving

    async def drive(self, *, stay: bool) -> Status:
        """Carry the run forward.

        Args:
            stay: whether to stay while nothing is left to do but wait for events from outside. The
                call stays in any case while a step waits in the middle of a delivery.

        Returns:
            The run's status: of an ended run, `waiting`, or `running` after `drain`.

        Raises:
            HeadMoved: the run has ended, or goes on in another process.
            Exception: the journal could not commit.
        """
        self._stays = stay
        loop = asyncio.get_running_loop()
        timers, seconds = [], self.program.timeout
        if seconds is not None:
            timers.append(loop.call_later(seconds, self._time_out, seconds))
        if self._seconds_left is not None:
            late = End("failed", self._limits.late())
            timers.append(loop.call_later(max(0, self._seconds_left), self._progress.put, late))
        try:
            self._offer_unclaimed()
            if not self._progress.has_news:
                self._start_pending()
            await self._progress.drive()
        finally:
            for timer in timers:
                timer.cancel()
            await self._interrupt()
        return self.status

    def _start_pending(self) -> None:
        """Start the pending deliveries: at once, or after the first commit if messages are queued.

        An answer that came in time is committed by then. Its step would find the time up otherwise.
        """
        self._has_started = True
        for delivery in self.snapshot.pending():
            wait = self.snapshot.parked_at(delivery)
            if wait is not None:
                self._publisher.ask(wait)
            elif delivery.id not in self._attempts:
                self._start(delivery)

    def _offer_unclaimed(self) -> None:
        """Give unclaimed events to the steps that take them now.

        The code may have changed since the events came.
        """
        for id_, event in sorted(self.snapshot.unclaimed.items(), key=itemgetter(0)):
            route = self.graph.routes[event.type]
            if route.starts and not route.asks:
                self._progress.put((Received(Sent(event), id_), None, None))

    def release(self) -> None:
        """Start the deliveries that are held back."""
        held, self.held = self.held or {}, None
        for delivery in held.values():
            self._start(delivery)
        self.held = {}

    # Commits

    def is_over(self, status: Status) -> bool:
        """True if nothing is left to do here for a run with this status."""
        if status in ENDED:
            return True
        if self._draining.is_set():
            return not self._workers.working
        return status == "waiting" and not (self._stays or self._attempts)

    def rests(self) -> None:
        """Show that nothing is left to do but wait."""
        self._publisher.idle()

    def apply(self, source: Attempt | None, entry: Record, has_ended: bool) -> None:
        """Start the deliveries that a committed fact has brought, and go on with answered waits."""
        fact, delta = entry.fact, entry.delta
        if not self._has_started and not has_ended:
            self._start_pending()  # before the deliveries of the fact, which were sent later
        if source is not None:
            self._finish(source, fact)
        self._publisher.publish(fact)
        if delta.unclaimed is not NOTHING:
            self._publisher.unhandled(delta.unclaimed.put.values(), self._workers.idle)
        if has_ended:
            return
        if self._limits is not NO_LIMITS and self._exceeds(entry):
            return
        if type(fact) is Completed and fact.changes:
            self.state.commit(fact.delivery, fact.changes, entry.snapshot.state)
        if delta.deliveries is not NOTHING:
            for id_, delivery in delta.deliveries.put.items():
                if id_ not in self._attempts:
                    self._start(delivery)
        if delta.waits is not NOTHING:
            for wait in delta.waits.put.values():
                if wait.answer is not None:
                    self._answered(wait, entry.snapshot)

    def _exceeds(self, entry: Record) -> bool:
        """End the run if the record is beyond a bound; True if so."""
        over = self._limits.over(entry.seq, len(entry.snapshot.deliveries))
        if over is not None:
            self._progress.put(End("failed", over))
        return over is not None

    def _finish(self, attempt: Attempt, fact: Fact) -> None:
        attempt.settle()
        if type(fact) is Waiting:
            self._waiting.begin(attempt, fact.wait)
        if type(fact) in (Waiting, TimedOut):
            return
        self._publisher.step_ends(attempt.delivery, attempt.worker, fact)
        del self._attempts[attempt.delivery.id]
        self._waiting.rest(attempt)

    def _answered(self, wait: Wait, snapshot: Snapshot) -> None:
        attempt = self._attempts.get(wait.delivery)
        if attempt is None:
            self._start(snapshot.deliveries[wait.delivery])
        else:
            self._waiting.wake(attempt, wait)

    # Executing a step

    def _start(self, delivery: Delivery) -> None:
        if self.held is not None:
            self.held[delivery.id] = delivery
            return
        if delivery.step not in self.graph.steps:
            error = WorkflowRuntimeError(f"{self.graph.lost(delivery)} Then rerun it.")
            self._progress.put(End("failed", error, delivery.step))
            return
        retry = self._parts.earlier.get(delivery.id, NO_EARLIER).retry
        attempt = self._attempts[delivery.id] = Attempt(delivery, self._parts, retry)
        worker = self._workers.take(delivery.step)
        if worker is not None:
            self._begin(attempt, worker)
        else:
            self._workers.ask(delivery.step, delivery.id, partial(self._begin, attempt))
            self._publisher.step_begins(delivery, None)

    def _begin(self, attempt: Attempt, worker: int) -> None:
        attempt.worker = worker
        self._publisher.step_begins(attempt.delivery, worker)
        executing, context = self._execute(attempt), self._progress.context.copy()
        attempt.task = asyncio.get_running_loop().create_task(executing, context=context)

    async def _execute(self, attempt: Attempt) -> None:
        """Execute the step, and report its result."""
        outcome: Outcome
        try:
            if attempt.delivery.id in self._parts.earlier:
                await paused(self._parts, attempt, self._draining)
            outcome = await attempt.execute()
        except BaseException as error:  # a step ends its own run at most, and no other
            if self._attempts.get(attempt.delivery.id) is not attempt:
                return  # interrupted: the delivery stays pending
            try:
                outcome, attempt = await retried(self._parts, attempt, error, self._draining)
            except BaseException as stray:  # raised in the pause between two attempts
                under_way = self._attempts.get(attempt.delivery.id)
                if under_way is None:
                    return  # as above
                attempt = under_way
                outcome = after_burst(attempt.delivery.step, attempt.retry, stray)
        attempt.is_over = True
        news = outcome if isinstance(outcome, End) else (outcome, attempt, None)
        self._progress.put(news, at_once=True)

    # Ending

    def _time_out(self, seconds: float) -> None:
        error = WorkflowTimeoutError(f"The run took longer than {seconds:g} seconds.")
        self._progress.put(End("failed", error))

    async def _interrupt(self) -> None:
        """Stop the steps under way, which stay pending."""
        tasks = {each.task for each in self._attempts.values() if each.task is not None}
        self._attempts.clear()
        self._progress.stop()
        for task in tasks:
            task.cancel()
        if tasks:  # not for ever: a step may refuse to be cancelled
            await asyncio.wait(tasks, timeout=INTERRUPT_SECONDS)
