"""How runs end: failed, cancelled, out of time; one at a time in a context, and apart elsewhere."""

import asyncio
import threading
from typing import Any

import pytest

from cairn import (
    Context,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowCancelledByUser,
    WorkflowCancelledEvent,
    WorkflowConfigurationError,
    WorkflowFailedEvent,
    WorkflowRuntimeError,
    WorkflowTimeoutError,
    step,
)
from tests.engine.flows.raising_or_standing import Raises, Standing
from tests.engine.flows.sending import Chain, Loop, Part
from tests.engine.tools.runs import BOUND, completed, ended, own, until


class Own(Exception):
    def __init__(self, code: int, *, hint: str) -> None:
        super().__init__(f"code {code}")
        self.code, self.hint = code, hint


async def test_await_raises_the_failed_steps_own_exception() -> None:
    error = Own(7, hint="look")
    handler = Raises(error).run()
    with pytest.raises(Own, match="code 7") as raised:
        await ended(handler)
    assert raised.value is error
    assert handler.exception() is error
    assert handler.is_done()
    assert any(entry.name == "work" for entry in raised.traceback)


async def test_awaiting_a_failed_run_again_raises_again() -> None:
    handler = Raises(Own(7, hint="look")).run()
    for _ in range(2):
        with pytest.raises(Own):
            await ended(handler)


async def test_a_failed_run_keeps_its_last_checkpoint_with_the_step_still_pending() -> None:
    failed = Raises(ValueError("no")).run()
    with pytest.raises(ValueError, match="no"):
        await ended(failed)
    assert completed(own(failed)) == {"begin": 1}
    rerun = Raises().run_from(checkpoint=own(failed)[-1])
    assert await ended(rerun) == "done"
    assert completed(own(rerun)) == {"work": 1}


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3),
        asyncio.CancelledError(),
        GeneratorExit(),
        StopIteration(),
        StopAsyncIteration(),
        BaseExceptionGroup("both", [SystemExit(1), ValueError()]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_a_step_raises_only_its_own_run_fails(error: BaseException) -> None:
    beside = Loop().run(n=50)
    handler = Raises(error).run()
    async with asyncio.timeout(BOUND):
        stream = [event async for event in handler.stream_events()]
    assert [type(event) for event in stream] == [WorkflowFailedEvent]
    assert handler.is_done()
    assert handler.exception() is not None
    assert completed(own(handler)) == {"begin": 1}
    assert len(await ended(beside)) == 51
    assert await ended(Raises().run_from(checkpoint=own(handler)[-1])) == "done"


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration()], ids=repr)
async def test_whatever_a_step_in_a_thread_raises_only_its_own_run_fails(
    error: BaseException,
) -> None:
    class InThread(Workflow):
        @step
        def only(self, ev: StartEvent) -> StopEvent:
            raise error

    handler = InThread().run()
    async with asyncio.timeout(BOUND):
        stream = [event async for event in handler.stream_events()]
    assert [type(event) for event in stream] == [WorkflowFailedEvent]
    assert handler.is_done()
    assert handler.exception() is not None


async def test_an_exception_of_no_known_family_only_fails_its_run() -> None:
    class Unknown(BaseException):
        pass

    handler = Raises(Unknown("odd")).run()
    with pytest.raises((Unknown, WorkflowRuntimeError), match="odd"):
        await ended(handler)


async def test_one_of_many_parallel_steps_fails_the_run_and_ends_the_others() -> None:
    ended_in = []

    class Many(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
            for n in range(3):
                ctx.send_event(Part(n=n))
            return None

        @step
        async def work(self, ev: Part) -> StopEvent:
            try:
                await asyncio.sleep(BOUND if ev.n else 0)
                raise ValueError("the first")
            finally:
                ended_in.append(ev.n)

    handler = Many().run()
    with pytest.raises(ValueError, match="the first"):
        await ended(handler)
    assert sorted(ended_in) == [0, 1, 2]


async def test_a_run_that_was_cancelled_says_so_and_goes_on_from_its_last_checkpoint() -> None:
    workflow = Standing()
    handler = workflow.run()
    await until(workflow.reached)
    assert not handler.is_done()
    await handler.cancel_run()
    assert handler.is_done()
    assert workflow.cleaned_up
    with pytest.raises(WorkflowCancelledByUser):
        await ended(handler)
    workflow.go_on.set()
    rerun = workflow.run_from(checkpoint=own(handler)[-1])
    assert await ended(rerun) == 1
    assert completed(own(rerun)) == {"stand": 1}


async def test_cancelling_a_run_that_has_ended_changes_nothing() -> None:
    handler = Chain().run()
    result = await ended(handler)
    await handler.cancel_run()
    assert handler.exception() is None
    assert await ended(handler) == result


async def test_the_stream_of_a_cancelled_run_ends_with_that() -> None:
    workflow = Standing()
    handler = workflow.run()
    await until(workflow.reached)
    await handler.cancel_run()
    async with asyncio.timeout(BOUND):
        stream = [event async for event in handler.stream_events()]
    assert stream == [WorkflowCancelledEvent()]


async def test_a_run_that_waits_for_an_event_may_be_cancelled() -> None:
    class Waits(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            return StopEvent(result=await ctx.wait_for_event(Part))

    handler = Waits().run()
    async with asyncio.timeout(BOUND):
        await handler.cancel_run()
    with pytest.raises(WorkflowCancelledByUser):
        await ended(handler)


async def test_a_run_whose_step_is_in_a_thread_may_be_cancelled() -> None:
    reached, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class InThread(Workflow):
        @step
        def only(self, ev: StartEvent) -> StopEvent:
            loop.call_soon_threadsafe(reached.set)
            assert go_on.wait(BOUND)
            return StopEvent()

    handler = InThread().run()
    await until(reached)
    async with asyncio.timeout(BOUND):
        await handler.cancel_run()
    with pytest.raises(WorkflowCancelledByUser):
        await ended(handler)
    go_on.set()
    assert len(own(handler)) == 1


async def test_a_step_that_will_not_be_cancelled_does_not_keep_its_run() -> None:
    workflow = Stubborn()
    handler = workflow.run()
    await until(workflow.reached)
    async with asyncio.timeout(BOUND):
        await handler.cancel_run()
    assert isinstance(handler.exception(), WorkflowCancelledByUser)
    assert completed(own(handler)) == {}


class Stubborn(Workflow):
    """Its step answers a cancellation with a result."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    @step
    async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
        self.reached.set()
        try:
            await asyncio.sleep(BOUND * 2)
        except asyncio.CancelledError:
            await ctx.set("value", "too late")
        return StopEvent(result="too late")


async def test_many_may_await_one_run() -> None:
    workflow = Standing()
    handler = workflow.run()

    async def wait() -> Any:
        return await handler

    waiting = [asyncio.create_task(wait()) for _ in range(3)]
    await until(workflow.reached)
    workflow.go_on.set()
    async with asyncio.timeout(BOUND):
        assert await asyncio.gather(*waiting, wait()) == [1] * 4


async def test_cancelling_whoever_awaits_does_not_end_the_run() -> None:
    workflow = Standing()
    handler = workflow.run()

    async def wait() -> Any:
        return await handler

    waiter = asyncio.create_task(wait())
    await until(workflow.reached)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert not handler.is_done()
    workflow.go_on.set()
    assert await ended(handler) == 1


async def test_a_run_that_takes_too_long_says_so_and_goes_on_from_its_last_checkpoint() -> None:
    handler = Standing(timeout=0.01).run()
    with pytest.raises(WorkflowTimeoutError, match=r"0\.01"):
        await ended(handler)
    workflow = Standing()
    workflow.go_on.set()
    assert await ended(workflow.run_from(checkpoint=own(handler)[-1])) == 1


async def test_a_run_within_its_time_is_not_disturbed() -> None:
    workflow = Standing(timeout=BOUND)
    workflow.go_on.set()
    assert await ended(workflow.run()) == 1


async def test_asking_for_the_exception_of_a_run_that_goes_on_is_refused() -> None:
    workflow = Standing()
    handler = workflow.run()
    with pytest.raises(asyncio.InvalidStateError):
        handler.exception()
    workflow.go_on.set()
    await ended(handler)
    assert handler.exception() is None


async def test_a_checkpoint_of_another_workflow_is_refused() -> None:
    source = Chain().run()
    await ended(source)
    with pytest.raises(WorkflowConfigurationError, match=r"Chain|Loop"):
        Loop().run_from(checkpoint=own(source)[0])


def test_a_run_needs_an_event_loop() -> None:
    with pytest.raises(WorkflowRuntimeError, match="loop"):
        Chain().run()
