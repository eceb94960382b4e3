"""A person in the loop: questions that are shown, and answers that are heard."""

import pytest

from cairn import (
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    step,
)
from tests.engine.flows.asking import Answer, Approving, Question
from tests.engine.tools.runs import ended, own, shown


class Approval(Workflow):
    """The events as they come, with fields of the moment."""

    @step
    async def ask(self, ev: StartEvent) -> InputRequiredEvent:
        return InputRequiredEvent(prefix="May I?")

    @step
    async def hear(self, ev: HumanResponseEvent) -> StopEvent:
        return StopEvent(result=ev.get("response"))


async def test_a_question_that_a_step_returns_is_shown_and_its_answer_heard() -> None:
    handler = Approval().run()
    question = await shown(handler, InputRequiredEvent)
    assert question.get("prefix") == "May I?"
    handler.send_event(HumanResponseEvent(response="yes"))
    assert await ended(handler) == "yes"


async def test_a_question_of_ones_own_type_is_shown() -> None:
    handler = Approving().run()
    await shown(handler, Question)
    handler.send_event(Answer(word="yes"))
    assert await ended(handler) == (True, "yes")


async def test_a_question_that_a_step_sends_is_shown() -> None:
    class Sends(Workflow):
        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> Question | None:
            ctx.send_event(Question(n=1))
            return None

        @step
        async def hear(self, ev: Answer) -> StopEvent:
            return StopEvent(result=ev.word)

    handler = Sends().run()
    assert (await shown(handler, Question)).get("n") == 1
    handler.send_event(Answer(word="yes"))
    assert await ended(handler) == "yes"


async def test_the_answer_leaves_a_checkpoint_of_its_own() -> None:
    handler = Approval().run()
    handler.send_event(HumanResponseEvent(response="yes"))
    await ended(handler)
    said = [c for c in own(handler) if c.last_completed_step is None]
    assert [type(c.output_event) for c in said] == [StartEvent, HumanResponseEvent]


async def test_a_word_from_outside_may_be_for_a_step() -> None:
    class Listens(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Question:
            return Question()

        @step
        async def left(self, ev: Answer) -> StopEvent:
            return StopEvent(result="left")

        @step
        async def right(self, ev: Answer) -> StopEvent:
            return StopEvent(result="right")

    handler = Listens().run()
    handler.send_event(Answer(word="x"), step="right")
    assert await ended(handler) == "right"


async def test_a_run_that_has_ended_hears_nothing_more() -> None:
    handler = Approval().run()
    handler.send_event(HumanResponseEvent(response="yes"))
    await ended(handler)
    with pytest.raises(WorkflowRuntimeError, match="ended"):
        handler.send_event(HumanResponseEvent(response="no"))
