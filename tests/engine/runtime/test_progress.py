"""A run moves on whatever its steps do to their own tasks, and however slow its journal is."""

import asyncio
from collections.abc import Sequence

import pytest

from cairn import (
    ConstantDelayRetryPolicy,
    Context,
    ContextStateError,
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowCancelledByUser,
    WorkflowFailedEvent,
    step,
)
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.records import Failure, Head, Record, Status
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.ids import new_id
from cairn.engine.runtime.runner import Runner
from cairn.engine.values.sealed import SealedEvent
from tests.engine.flows.asking import Answer, Question
from tests.engine.flows.sending import Done, Part
from tests.engine.tools.runs import BOUND, completed, ended, own, waiting


class SlowJournal:
    """Takes its time to commit, as a database does."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.failure: Failure | None = None

    @property
    def commits_at_once(self) -> bool:
        return False

    def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> asyncio.Future[None]:
        return asyncio.ensure_future(self._append(records, failure))

    async def _append(self, records: Sequence[Record], failure: Failure | None) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        self.records += records
        self.failure = failure


class HeldJournal(SlowJournal):
    """Commits when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[asyncio.Future[None]] = []

    def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> asyncio.Future[None]:
        self.commits.append(asyncio.get_running_loop().create_future())
        return self.commits[-1]


async def driven(workflow: Workflow) -> tuple[Status, SlowJournal]:
    journal = SlowJournal()
    runner = Runner(workflow, journal, new_id(), Snapshot(), Head())
    runner.tell(Received(Sent(SealedEvent("StartEvent", {}))))
    async with asyncio.timeout(BOUND):
        return await runner.drive(stay=False), journal


async def turns_of_the_loop() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def cancel_soon() -> None:
    """What a library's timer may do to the task that set it, too late."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().call_soon(task.cancel)


async def test_a_steps_own_cancel_after_it_has_returned_strikes_no_commit() -> None:
    class Cancelling(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            cancel_soon()
            return Part(n=1)

        @step
        async def end(self, ev: Part) -> StopEvent:
            cancel_soon()
            return StopEvent(result=ev.n)

    status, journal = await driven(Cancelling())
    assert status == "completed"
    assert [r.last_completed_step for r in journal.records] == [None, "begin", "end"]
    assert await ended(Cancelling().run()) == 1


async def test_a_steps_own_cancel_while_it_waits_to_be_tried_again_fails_its_run() -> None:
    class Failing(Workflow):
        @step(retry_policy=ConstantDelayRetryPolicy(delay=BOUND))
        async def begin(self, ev: StartEvent) -> StopEvent:
            task = asyncio.current_task()
            assert task is not None
            asyncio.get_running_loop().call_later(0.01, task.cancel)
            raise ValueError("once")

    status, journal = await driven(Failing())
    assert status == "failed"
    assert journal.failure is not None
    assert (journal.failure.step, "CancelledError" in journal.failure.message) == ("begin", True)


async def test_what_went_out_with_a_second_wait_does_not_go_out_again_when_it_is_tried_again() -> (
    None
):
    class Twice(Workflow):
        """Its first try begins two waits at once, has sent something before each, and fails."""

        failed = False

        @step(retry_policy=ConstantDelayRetryPolicy(delay=0))
        async def ask(self, ctx: Context, ev: StartEvent) -> Part | None:
            ctx.send_event(Part(n=1))
            first = asyncio.ensure_future(ctx.wait_for_event(Answer, waiter_id="first"))
            await asyncio.sleep(0)
            ctx.send_event(Part(n=2))
            second = asyncio.ensure_future(ctx.wait_for_event(Answer, waiter_id="second"))
            await asyncio.sleep(0)
            if not self.failed:
                self.failed = True
                first.cancel()
                second.cancel()
                raise ValueError("once")
            await asyncio.gather(first, second)
            return None

        @step
        async def gather(self, ctx: Context, ev: Part) -> Done | None:
            seen = [*await ctx.get("seen", default=[]), ev.n]
            await ctx.set("seen", seen)
            return Done(n=0) if len(seen) == 2 else None

        @step
        async def answer(self, ev: Done) -> Answer:
            return Answer(word="yes")

        @step
        async def end(self, ctx: Context, ev: Answer) -> StopEvent:
            return StopEvent(result=sorted(await ctx.get("seen")))

    status, journal = await driven(Twice())
    assert status == "completed"
    stopped = journal.records[-1].snapshot.stopped
    assert stopped is not None
    assert stopped.data["result"] == [1, 2]


async def test_an_event_that_comes_too_late_for_a_wait_is_there_for_the_next() -> None:
    class Patient(Workflow):
        def __init__(self) -> None:
            super().__init__()
            self.overdue, self.go_on = asyncio.Event(), asyncio.Event()

        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            with pytest.raises(TimeoutError):
                await ctx.wait_for_event(Answer, waiter_event=Question(), timeout=0.01)
            self.overdue.set()
            await self.go_on.wait()
            return StopEvent(result=(await ctx.wait_for_event(Answer)).word)

    workflow = Patient()
    handler = workflow.run()
    async with asyncio.timeout(BOUND):
        await workflow.overdue.wait()
    handler.send_event(Answer(word="late"))
    workflow.go_on.set()
    assert await ended(handler) == "late"
    *_, overdue = (c for c in own(handler) if c.snapshot.waits and not c.snapshot.unclaimed)
    rerun = workflow.run_from(overdue)
    rerun.send_event(Answer(word="again"))
    assert await ended(rerun) in ("late", "again")


async def test_a_list_goes_to_a_step_that_takes_every_event_one_by_one() -> None:
    class Logging(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> list[Part]:
            return [Part(n=n) for n in range(2)]

        @step(accept_event_subclasses=True)
        async def log(self, ctx: Context, ev: Event) -> None:
            await ctx.set("seen", [*await ctx.get("seen", default=[]), type(ev).__name__])

        @step
        async def end(self, ctx: Context, ev: list[Part]) -> StopEvent:
            return StopEvent(result=len(ev))

    handler = Logging().run()
    assert await ended(handler) == 2
    assert completed(own(handler))["log"] >= 1


async def test_a_step_that_gives_up_its_wait_works_on_with_a_worker() -> None:
    class GivingUp(Workflow):
        @step(num_workers=1)
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await ctx.wait_for_event(Answer, waiter_event=Question())
            return StopEvent(result=await ctx.running_steps())

    assert await ended(GivingUp().run()) == ["ask"]


async def test_a_run_whose_step_was_told_that_another_was_cancelled_has_failed() -> None:
    class Inner(Workflow):
        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.wait_for_event(Answer, waiter_event=Question())
            return StopEvent()

    class Outer(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> StopEvent:
            inner = Inner().run()
            await waiting(inner)
            await inner.cancel_run()
            return StopEvent(result=await inner)

    handler = Outer().run()
    with pytest.raises(WorkflowCancelledByUser):
        await ended(handler)
    assert not handler.cancelled()
    assert [type(e) async for e in handler.stream_events()] == [WorkflowFailedEvent]


async def test_a_store_that_outlives_its_step_writes_nothing() -> None:
    kept = []

    class Keeping(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part:
            kept.append(ctx.store)
            await ctx.store.set("n", 1)
            return Part(n=1)

        @step
        async def end(self, ctx: Context, ev: Part) -> StopEvent:
            with pytest.raises(ContextStateError, match="returned"):
                await kept[0].set("n", 100)
            return StopEvent(result=await ctx.get("n"))

    assert await ended(Keeping().run()) == 1


async def test_edits_of_a_context_at_rest_take_turns() -> None:
    ctx = Context(Keeping())

    async def count() -> None:
        async with ctx.store.edit_state() as state:
            n = state.get("n", 0)
            await asyncio.sleep(0)
            state.n = n + 1

    await asyncio.gather(*(count() for _ in range(5)))
    assert await ctx.get("n") == 5


class Keeping(Workflow):
    @step
    async def end(self, ctx: Context, ev: StartEvent) -> StopEvent:
        return StopEvent()


async def test_nothing_is_started_of_a_run_that_is_let_go_as_its_commit_comes() -> None:
    class Marking(Workflow):
        started = False

        @step
        async def begin(self, ev: StartEvent) -> StopEvent:
            self.started = True
            return StopEvent()

    workflow, journal = Marking(), HeldJournal()
    runner = Runner(workflow, journal, new_id(), Snapshot(), Head())
    runner.tell(Received(Sent(SealedEvent("StartEvent", {}))))
    driving = asyncio.create_task(runner.drive(stay=False))
    await turns_of_the_loop()
    driving.cancel()
    journal.commits[0].set_result(None)
    await turns_of_the_loop()
    assert driving.cancelled()
    assert not workflow.started
