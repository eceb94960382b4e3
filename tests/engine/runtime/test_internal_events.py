"""What a run tells of its inside, to those who ask."""

import asyncio
from typing import Any

import pytest

from cairn import (
    Event,
    InternalDispatchEvent,
    StartEvent,
    StepState,
    StepStateChanged,
    StopEvent,
    UnhandledEvent,
    Workflow,
    WorkflowFailedEvent,
    WorkflowIdleEvent,
    WorkflowRuntimeError,
    WorkflowTimedOutEvent,
    retry_policy,
    step,
)
from cairn.engine.language.retry import retry_if_exception
from tests.engine.flows.asking import Answer, Approving
from tests.engine.flows.raising_or_standing import Standing
from tests.engine.flows.sending import Chain, Part
from tests.engine.tools.runs import BOUND, ended


async def told(handler: Any, inside: bool = True) -> list[Event]:
    async with asyncio.timeout(BOUND):
        return [event async for event in handler.stream_events(expose_internal=inside)]


async def test_each_step_is_told_of_as_it_begins_and_ends() -> None:
    stream = await told(Chain().run(n=3))
    steps = [
        (e.name, e.step_state, e.input_event_name, e.output_event_name)
        for e in stream
        if isinstance(e, StepStateChanged)
    ]
    assert [state for _, state, _, _ in steps] == [StepState.RUNNING, StepState.NOT_RUNNING] * 3
    assert [name for name, state, _, _ in steps if state is StepState.RUNNING] == [
        "begin",
        "double",
        "end",
    ]
    assert steps[-1][2:] == ("Part", "StopEvent") or steps[-1][3] == "StopEvent"
    assert isinstance(stream[-1], StopEvent)


async def test_who_does_not_ask_is_not_told() -> None:
    stream = await told(Chain().run(n=3), inside=False)
    assert not any(isinstance(event, InternalDispatchEvent) for event in stream)


async def test_steps_have_workers_by_number_and_wait_for_one() -> None:
    class Wide(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> list[Part]:
            return [Part(n=n) for n in range(5)]

        @step(num_workers=2)
        async def work(self, ev: Part) -> Part | None:
            await asyncio.sleep(0)
            return None

        @step
        async def end(self, ev: list[Part]) -> StopEvent:
            return StopEvent(result=len(ev))

    stream = await told(Wide().run())
    work = [e for e in stream if isinstance(e, StepStateChanged) and e.name == "work"]
    running = [e.worker_id for e in work if e.step_state is StepState.RUNNING]
    assert set(running) == {"0", "1"}
    assert len(running) == 5
    waiting = [e.worker_id for e in work if e.step_state is StepState.PREPARING]
    assert waiting == [""] * 3


async def test_a_run_that_waits_says_so_and_an_event_that_nobody_takes_too() -> None:
    handler = Approving().run()
    unread: list[Event] = [Part(n=1)]
    async with asyncio.timeout(BOUND):
        async for event in handler.stream_events(expose_internal=True):
            if isinstance(event, WorkflowIdleEvent) and unread:
                handler.send_event(unread.pop())
            if isinstance(event, UnhandledEvent):
                assert (event.event_type, event.idle) == ("Part", True)
                handler.send_event(Answer(word="yes"))
    assert await ended(handler) == (True, "yes")


async def test_a_run_that_takes_too_long_ends_with_the_steps_that_were_under_way() -> None:
    handler = Standing(timeout=0.01).run()
    last = (await told(handler, inside=False))[-1]
    assert last == WorkflowTimedOutEvent(timeout=0.01, active_steps=["stand"])
    assert handler.get_stop_event() is None


@pytest.mark.parametrize("timeout", [None, 3600.0])
async def test_a_run_whose_retry_policy_raises_ends_as_a_failure_of_the_step(
    timeout: float | None,
) -> None:
    class Failing(Workflow):
        @step(retry_policy=retry_policy(retry=retry_if_exception(lambda error: error.missing)))  # type: ignore[attr-defined]
        async def work(self, ev: StartEvent) -> StopEvent:
            raise ConnectionError

    last = (await told(Failing(timeout=timeout).run(), inside=False))[-1]
    assert isinstance(last, WorkflowFailedEvent)
    assert (last.step_name, last.attempts) == ("work", 1)
    assert "retry policy of step 'work'" in str(last.exception)


async def test_a_stream_is_read_once() -> None:
    handler = Chain().run(n=1)
    await told(handler)
    with pytest.raises(WorkflowRuntimeError, match="read to its end"):
        await told(handler)
