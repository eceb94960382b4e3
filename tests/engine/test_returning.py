"""Returning: lists, single events or nothing, and what the annotation does not allow."""

import json
from typing import Any

import pytest

from cairn import (
    Context,
    EventBatch,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    catch_error,
    step,
)
from tests.engine.flows.list_members import AskingMember
from tests.engine.flows.lists import Answer, Done, Nested, Part, Question, Total, Word
from tests.engine.tools.runs import completed, ended, own, rerun_everywhere, until_true


class Choosing(Workflow):
    """Returns a list, an event of another type, or nothing."""

    @step
    async def scatter(self, ctx: Context, ev: StartEvent) -> list[Part] | Word | None:
        if ev.what == "nothing":
            ctx.send_event(Word(word="sent"))
            return None
        return Word(word="alone") if ev.what == "alone" else [Part(n=0), Part(n=1)]

    @step
    async def work(self, ev: Part) -> Done:
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: list[Done]) -> StopEvent:
        return StopEvent(result=len(ev))

    @step
    async def say(self, ev: Word) -> StopEvent:
        return StopEvent(result=ev.word)


@pytest.mark.parametrize(("what", "result"), [("list", 2), ("alone", "alone"), ("nothing", "sent")])
async def test_a_step_may_return_a_list_or_one_event_or_nothing(what: str, result: Any) -> None:
    workflow = Choosing()
    handler = workflow.run(what=what)
    assert await ended(handler) == result
    assert completed(own(handler))["gather"] == (what == "list")
    await rerun_everywhere(workflow, handler)


def returning(output: Any) -> Workflow:
    class Returning(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part] | Word:
            return output  # type: ignore[no-any-return]

        @step
        async def end(self, ev: Part | Word) -> StopEvent:
            return StopEvent()

    return Returning()


@pytest.mark.parametrize(
    ("output", "says"),
    [
        (Part(n=1), "Step 'scatter' returned a Part that is in no list"),
        ([Part(n=1), "text"], "Step 'scatter' returned in its list a str, which is no Event"),
        ([Part(n=1), None], "returned in its list a NoneType, which is no Event"),
        ([[Part(n=1)]], "returned in its list a list, which is no Event"),
        ((Part(n=1),), "Step 'scatter' returned a tuple, which is no Event"),
        ("text", "Step 'scatter' returned a str, which is no Event"),
    ],
)
async def test_what_the_annotation_does_not_allow_fails_the_run(output: Any, says: str) -> None:
    handler = returning(output).run()
    with pytest.raises(WorkflowRuntimeError, match=says):
        await ended(handler)
    assert len(own(handler)) == 1, "its checkpoint is still there, with the step pending"


async def test_a_list_that_no_annotation_names_fails_the_run() -> None:
    class Lists(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> Part:
            return [Part(n=1)]  # type: ignore[return-value]

        @step
        async def end(self, ev: Part) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowRuntimeError, match="'scatter' returned a list, which is no Event"):
        await ended(Lists().run())


async def test_a_step_that_collects_can_be_sent_nothing() -> None:
    class Sends(Workflow):
        @step
        async def scatter(self, ctx: Context, ev: StartEvent) -> list[Done]:
            ctx.send_event(Done(n=1), step="gather")
            return []

        @step
        async def gather(self, ev: list[Done]) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowRuntimeError, match=r"'gather' takes a list .* can be sent nothing"):
        await ended(Sends().run())


async def test_a_step_in_a_thread_returns_and_takes_lists_too() -> None:
    class InThreads(Workflow):
        @step
        def scatter(self, ev: StartEvent) -> list[Part]:
            return [Part(n=n) for n in range(3)]

        @step
        def split(self, ev: Part) -> list[Done]:
            return [Done(n=ev.n)] * ev.n

        @step
        def gather(self, ev: list[Done]) -> Total:
            return Total(n=sum(e.n for e in ev))

        @step
        def gather_all(self, ev: list[Total]) -> StopEvent:
            return StopEvent(result=[e.n for e in ev])

    workflow = InThreads()
    handler = workflow.run()
    assert await ended(handler) == [0, 1, 4]
    await rerun_everywhere(workflow, handler)


async def test_a_run_with_lists_goes_step_by_step() -> None:
    handler = Nested().run(stepwise=True)
    while not handler.is_done():
        await handler.run_step()
    assert await ended(handler) == [0, 10, 41]


async def test_a_context_is_stored_in_the_middle_of_a_batch_and_goes_on() -> None:
    workflow = AskingMember()
    handler = workflow.run()
    await until_true(lambda: completed(own(handler))["hear"] == 3)
    stored = json.loads(json.dumps(handler.ctx.to_dict()))
    await handler.cancel_run()
    resumed = workflow.run(ctx=Context.from_dict(workflow, stored))
    resumed.send_event(Answer(n=2))
    resumed.send_event(Answer(n=0))
    assert await ended(resumed) == ([10, 1, 12], 3)


async def test_nothing_is_shown_that_comes_in_a_list_after_a_stop_event() -> None:
    class Stops(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> list[StopEvent | Question]:
            return [StopEvent(result=1), Question(n=1), StopEvent(result=2)]

    handler = Stops().run()
    assert [event async for event in handler.stream_events()] == [StopEvent(result=1)]
    assert await ended(handler) == 1


async def test_an_event_batch_is_no_way_around_the_annotation() -> None:
    class Around(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return EventBatch(events=[Part(n=1), Word(word="x")])  # type: ignore[return-value]

        @step
        async def end(self, ev: Part) -> StopEvent:
            return StopEvent(result="a list went out")

    with pytest.raises(WorkflowRuntimeError, match="EventBatch"):
        await ended(Around().run())


async def test_a_handler_of_no_step_is_no_obstacle_where_validation_is_disabled() -> None:
    class Typo(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> StopEvent:
            return StopEvent(result=1)

        @catch_error(for_steps=["bgein"])
        async def mend(self, ev: StepFailedEvent) -> StopEvent:
            return StopEvent()

    assert await ended(Typo(disable_validation=True).run()) == 1
