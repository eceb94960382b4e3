"""Caught failures: a step goes on where another has failed for good."""

from datetime import datetime, timedelta

import pytest

from cairn import (
    Context,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    UnknownError,
    Workflow,
    WorkflowRuntimeError,
    catch_error,
    step,
)
from tests.engine.flows.catching import Failing
from tests.engine.flows.lists import Answer, Done, Odd, Part, Question
from tests.engine.tools.runs import (
    completed,
    ended,
    own,
    rerun_everywhere,
    state,
    through_json,
    waiting,
)


async def test_a_failure_is_caught_once_the_retries_are_spent() -> None:
    workflow = Failing()
    handler = workflow.run()
    assert await ended(handler) == 3
    (failure,) = workflow.given
    assert failure.step_name == "work"
    assert failure.input_event == Part(n=7, note="kept")
    assert (type(failure.exception), str(failure.exception)) == (ValueError, "broken")
    assert failure.elapsed_seconds >= 0
    assert failure.failed_at.utcoffset() == timedelta(0)


async def test_nothing_is_kept_of_what_the_failed_attempts_wrote_or_sent() -> None:
    handler = Failing().run()
    await ended(handler)
    assert state(own(handler)[-1]) == {"trail": ["begin", "mend"]}
    assert completed(own(handler)) == {"begin": 1, "mend": 1, "feed": 1}


async def test_a_rerun_from_any_checkpoint_catches_the_failure_or_has_caught_it() -> None:
    workflow = Failing()
    await rerun_everywhere(workflow, workflow.run())
    await rerun_everywhere(workflow, workflow.run(), carried=through_json)


async def test_a_rerun_from_where_the_failure_was_caught_is_given_the_same_failure() -> None:
    workflow = Failing()
    handler = workflow.run()
    await ended(handler)
    (caught,) = (c for c in own(handler) if isinstance(c.output_event, StepFailedEvent))
    assert (caught.last_completed_step, caught.input_event) == (None, Part(n=7, note="kept"))
    read = through_json(workflow, caught)
    assert read == caught
    assert await ended(workflow.run_from(checkpoint=read)) == 3
    first, again = workflow.given
    assert isinstance(first.failed_at, datetime)
    for name in ("step_name", "input_event", "attempts", "elapsed_seconds", "failed_at"):
        assert getattr(again, name) == getattr(first, name)
    assert (type(again.exception), again.exception.args) == (ValueError, ("broken",))


class Named(Workflow):
    """One handler for one step, one for another, and one for all else."""

    @step
    async def begin(self, ev: StartEvent) -> Part | Odd | Done:
        if ev.which == "begin":
            raise ValueError
        return Part(n=0) if ev.which == "a" else Odd(n=0) if ev.which == "b" else Done(n=0)

    @step
    async def a(self, ev: Part) -> StopEvent:
        raise ValueError

    @step
    async def b(self, ev: Odd) -> StopEvent:
        raise ValueError

    @step
    async def c(self, ev: Done) -> StopEvent:
        raise ValueError

    @catch_error
    async def rest(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent(result=f"rest:{ev.step_name}")

    @catch_error(for_steps=["a"])
    async def for_a(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent(result=f"for_a:{ev.step_name}")

    @catch_error(for_steps=["b"])
    def for_b(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent(result=f"for_b:{ev.step_name}")


@pytest.mark.parametrize(
    ("which", "result"),
    [("begin", "rest:begin"), ("a", "for_a:a"), ("b", "for_b:b"), ("c", "rest:c")],
)
async def test_the_handler_that_names_a_step_catches_its_failures(which: str, result: str) -> None:
    assert await ended(Named().run(which=which)) == result


async def test_the_failure_of_a_step_that_no_handler_names_fails_the_run() -> None:
    class Uncaught(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=0)

        @step
        async def work(self, ev: Part) -> StopEvent:
            raise KeyError("mine")

        @catch_error(for_steps=["begin"])
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            return StopEvent(result="never")

    with pytest.raises(KeyError, match="mine"):
        await ended(Uncaught().run())


async def test_a_handler_that_raises_fails_the_run_with_its_own_exception() -> None:
    class Worse(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            raise ValueError("first")

        @step
        async def work(self, ev: Part) -> StopEvent:
            return StopEvent()

        @catch_error(max_recoveries=9)
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            raise LookupError("worse")

    handler = Worse().run()
    with pytest.raises(LookupError, match="worse"):
        await ended(handler)
    assert [d.step for d in own(handler)[-1].snapshot.pending()] == ["mend"]


async def test_what_a_step_returns_against_its_annotation_is_a_failure_like_any_other() -> None:
    class Bare(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> list[Part]:
            return Part(n=1)  # type: ignore[return-value]

        @step
        async def gather(self, ev: list[Part]) -> StopEvent:
            return StopEvent()

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            return StopEvent(result=ev.exception)

    assert isinstance(await ended(Bare().run()), WorkflowRuntimeError | UnknownError)


async def test_a_handler_may_wait_for_a_person() -> None:
    class Asks(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            raise ValueError("what now?")

        @step
        async def work(self, ev: Part) -> StopEvent:
            return StopEvent(result=ev.n)

        @catch_error
        async def ask(self, ctx: Context, ev: StepFailedEvent) -> Part:
            answer = await ctx.wait_for_event(Answer, waiter_event=Question(n=0))
            return Part(n=answer.n)

    workflow = Asks()
    handler = workflow.run()
    await waiting(handler)
    handler.send_event(Answer(n=5))
    assert await ended(handler) == 5
    await rerun_everywhere(workflow, handler, Answer(n=5), carried=through_json)


class Collecting(Workflow):
    """Pairs parts; the step that completes the first pair fails, having taken it."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        for n in range(2):
            ctx.send_event(Part(n=n))
        return None

    @step(num_workers=1)
    async def pair(self, ctx: Context, ev: Part) -> Done | None:
        parts = ctx.collect_events(ev, [Part, Part])
        if parts is None:
            return None
        numbers = [part.get("n") for part in parts]
        if 1 in numbers:
            raise ValueError(numbers)
        return Done(n=numbers[0] * 10 + numbers[1])

    @step
    async def end(self, ev: Done) -> StopEvent:
        return StopEvent(result=ev.n)

    @catch_error
    async def mend(self, ev: StepFailedEvent) -> Part:
        return Part(n=5)


async def test_what_a_failed_step_had_collected_is_there_for_others_and_its_own_event_is_not() -> (
    None
):
    workflow = Collecting()
    handler = workflow.run()
    assert await ended(handler) == 5
    await rerun_everywhere(workflow, handler, carried=through_json)
