"""A failed step is tried again, as its retry policy says; nothing of the failed try stays."""

import asyncio
import gc
import math
import weakref
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from cairn import (
    ConstantDelayRetryPolicy,
    Context,
    Event,
    ExponentialBackoffRetryPolicy,
    HumanResponseEvent,
    InputRequiredEvent,
    RetryPolicy,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    WorkflowValidationError,
    retry_policy,
    step,
)
from cairn.engine.language.retry import (
    retry_if_exception,
    retry_if_exception_type,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
    wait_none,
)
from tests.engine.tools.runs import BOUND, ended, own, shown

AT_ONCE = retry_policy(wait=wait_none(), stop=stop_after_attempt(3))


class Own:
    """A policy of a user's own, that knows nothing of seeds."""

    def __init__(self, answer: Callable[[int], Any]) -> None:
        self.answer = answer

    def next(self, elapsed_time: float, attempts: int, error: Exception) -> float | None:
        assert elapsed_time >= 0
        assert isinstance(error, ConnectionError)
        answer: float | None = self.answer(attempts)
        return answer


class Part(Event):
    n: int


class Question(InputRequiredEvent):
    n: int = 0


class Left(HumanResponseEvent):
    pass


class Right(HumanResponseEvent):
    pass


def failing(policy: RetryPolicy | None, failures: int) -> Workflow:
    """A workflow whose second step fails that often, having written, sent and collected."""

    class Failing(Workflow):
        def __init__(self) -> None:
            super().__init__()
            self.infos: list[Any] = []

        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part:
            await ctx.set("n", 1)
            return Part(n=1)

        @step(retry_policy=policy)
        async def work(self, ctx: Context, ev: Part) -> StopEvent:
            self.infos.append(ctx.retry_info())
            assert await ctx.get("n") == 1
            await ctx.set("n", 2)
            if len(self.infos) <= failures:
                raise ConnectionError(f"failure {len(self.infos)}")
            return StopEvent(result=len(self.infos))

    return Failing()


async def test_a_step_is_tried_again_and_a_failed_try_leaves_nothing() -> None:
    workflow = failing(AT_ONCE, 2)
    handler = workflow.run()
    assert await ended(handler) == 3
    infos = workflow.infos  # type: ignore[attr-defined]
    assert [info.retry_number for info in infos] == [0, 1, 2]
    assert (infos[0].last_exception, infos[0].last_failed_at) == (None, None)
    assert str(infos[2].last_exception) == "failure 2"
    assert await handler.ctx.get("n") == 2
    assert len(own(handler)) == 3  # a try that failed leaves no checkpoint


async def test_a_run_fails_with_the_last_error_when_its_tries_are_spent() -> None:
    handler = failing(AT_ONCE, 9).run()
    with pytest.raises(ConnectionError, match="failure 3"):
        await ended(handler)
    assert await handler.ctx.get("n") == 1


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        (ConstantDelayRetryPolicy(maximum_attempts=3, delay=7), [7, 7, None]),
        (
            ExponentialBackoffRetryPolicy(
                initial_delay=1, multiplier=3, max_delay=5, maximum_attempts=4, jitter=False
            ),
            [1, 3, 5, None],
        ),
        (retry_policy(retry=retry_if_exception_type(OSError)), [None]),
        (retry_policy(wait=wait_fixed(1), stop=stop_after_delay(2)), [1, None]),
    ],
)
def test_a_policy_says_how_long_to_wait(policy: RetryPolicy, delays: list[float | None]) -> None:
    error = ValueError("wrong")
    found = [policy.next(float(n), n, error) for n in range(1, len(delays) + 1)]
    assert found == delays


def test_the_policies_by_delay_show_what_they_were_made_with() -> None:
    constant = ConstantDelayRetryPolicy(4, 0.5)
    assert (constant.maximum_attempts, constant.delay) == (4, 0.5)
    growing = ExponentialBackoffRetryPolicy(4, 1, 3, 5, False)
    assert (growing.maximum_attempts, growing.initial_delay, growing.jitter) == (4, 1, False)


def test_equal_seeds_give_equal_delays() -> None:
    policy = ExponentialBackoffRetryPolicy(maximum_attempts=9, initial_delay=2)
    error = ValueError("wrong")
    for attempts in range(1, 9):
        delays = {policy.next(0.0, attempts, error, seed=seed % 10) for seed in range(100)}
        assert len(delays) == 10
        assert all(delay is not None and 0 <= delay <= 2**attempts for delay in delays)


async def test_an_object_of_a_users_own_is_a_policy() -> None:
    assert await ended(failing(Own(lambda n: 0 if n < 3 else None), 2).run()) == 3
    with pytest.raises(ConnectionError, match="failure 3"):
        await ended(failing(Own(lambda n: 0 if n < 3 else None), 3).run())
    assert await ended(failing(Own(lambda _: Fraction(1, 1000)), 1).run()) == 2


@pytest.mark.parametrize(
    "answer", [-0.1, math.nan, math.inf, -math.inf, "1", True, Decimal(0), [], 10**400]
)
async def test_a_policy_that_answers_with_no_time_fails_the_run(answer: Any) -> None:
    workflow = failing(Own(lambda _: answer), 1)
    with pytest.raises(WorkflowRuntimeError, match="retry policy of step 'work' failed") as raised:
        await ended(workflow.run())
    assert isinstance(raised.value.__cause__, ConnectionError)
    assert len(workflow.infos) == 1  # type: ignore[attr-defined]


def test_what_is_no_policy_is_refused_when_the_step_is_defined() -> None:
    with pytest.raises(WorkflowValidationError, match="retry_policy"):
        step(retry_policy=3)  # type: ignore[call-overload]


async def test_a_policy_that_raises_fails_the_run() -> None:
    policy = retry_policy(retry=retry_if_exception(lambda error: error.status >= 500))  # type: ignore[attr-defined]
    with pytest.raises(
        WorkflowRuntimeError, match=r"retry policy of step 'work'.*status"
    ) as raised:
        await ended(failing(policy, 1).run())
    assert isinstance(raised.value.__cause__, ConnectionError)


async def test_a_run_in_back_off_is_cancelled_at_once() -> None:
    workflow = failing(retry_policy(wait=wait_fixed(3600)), 1)
    handler = workflow.run()
    async with asyncio.timeout(BOUND):
        while not workflow.infos:  # type: ignore[attr-defined]  # noqa: ASYNC110
            await asyncio.sleep(0)
        await handler.cancel_run()
    assert handler.is_done()
    again = await ended(workflow.run_from(checkpoint=own(handler)[-1]))
    assert again == 2


async def test_what_went_out_as_a_step_began_to_wait_is_not_sent_again_by_the_next_try() -> None:
    class Paying(Workflow):
        def __init__(self) -> None:
            super().__init__()
            self.paid = 0

        @step(retry_policy=AT_ONCE)
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | StopEvent:
            ctx.send_event(Part(n=1))
            await ctx.wait_for_event(Left, timeout=0)
            return StopEvent()

        @step
        async def pay(self, ev: Part) -> None:
            self.paid += 1

    workflow = Paying()
    with pytest.raises(TimeoutError):
        await ended(workflow.run())
    assert workflow.paid == 1


async def test_a_step_that_waits_for_either_of_two_goes_on_in_a_rerun_too() -> None:
    class Either(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> StopEvent:
            waits = [asyncio.ensure_future(ctx.wait_for_event(kind)) for kind in (Left, Right)]
            ctx.write_event_to_stream(Question())
            done, late = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in late:
                wait.cancel()
            return StopEvent(result=type(done.pop().result()).__name__)

    workflow = Either()
    handler = workflow.run()
    await shown(handler, Question)
    handler.send_event(Left())
    assert await ended(handler) == "Left"
    answered = own(handler)[-2]
    assert await ended(workflow.run_from(checkpoint=answered)) == "Left"


async def test_the_question_of_a_waiting_step_is_shown_once_in_a_rerun() -> None:
    class Asking(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.wait_for_event(Left, waiter_event=Question(n=1))
            return StopEvent()

    workflow = Asking()
    handler = workflow.run()
    await shown(handler, Question)
    await handler.cancel_run()
    rerun = workflow.run_from(checkpoint=own(handler)[-1])
    await shown(rerun, Question)
    rerun.send_event(Left())
    await ended(rerun)
    assert [type(event).__name__ async for event in rerun.stream_events()] == ["StopEvent"]


async def test_no_attempt_keeps_the_variables_of_those_before_it() -> None:
    class Large:
        pass

    kept: list[weakref.ref[Large]] = []
    alive: list[int] = []

    class Failing(Workflow):
        @step(retry_policy=retry_policy(wait=wait_fixed(0), stop=stop_after_attempt(5)))
        async def fail(self, ctx: Context, ev: StartEvent) -> StopEvent:
            gc.collect()
            alive.append(sum(reference() is not None for reference in kept))
            large = Large()
            kept.append(weakref.ref(large))
            if len(kept) < 5:
                raise ValueError(str(ctx.retry_info().last_exception))
            return StopEvent(result=ctx.retry_info().retry_number)

    assert await ended(Failing().run()) == 4
    assert alive == [0, 0, 0, 0, 0]
