"""A rerun with other data: another event for the one that its checkpoint's step gave."""

from collections.abc import Callable

import pytest

from cairn import (
    Checkpoint,
    Event,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    step,
)
from tests.engine.flows.asking import Answer, Approving, Asking, Question
from tests.engine.flows.in_flight import Members
from tests.engine.flows.sending import Chain, Done, FanOut, Left, Number, Part, Right
from tests.engine.tools.runs import ended, own, shown, through_json, waiting

Carried = Callable[[Workflow, Checkpoint], Checkpoint]
CARRIED = pytest.mark.parametrize(
    "carried", [lambda _, c: c, through_json], ids=["as it is", "as JSON"]
)


@CARRIED
async def test_other_data_stands_for_the_event_that_the_step_gave(carried: Carried) -> None:
    workflow = Chain()
    source = workflow.run(n=3)
    assert await ended(source) == (6, ["begin", "double", "end"])
    before = [c.model_dump_json() for c in own(source)]
    rerun = workflow.run_from(carried(workflow, own(source)[1]), output_event=Part(n=5))
    assert await ended(rerun) == (10, ["begin", "double", "end"])
    assert own(rerun)[0].input_event == Part(n=5)
    assert [c.model_dump_json() for c in own(source)] == before


@CARRIED
async def test_a_run_begins_anew_with_other_fields_of_its_start_event(carried: Carried) -> None:
    workflow = Chain()
    source = workflow.run(n=3)
    await ended(source)
    first = carried(workflow, own(source)[0])
    rerun = workflow.run_from(first, output_event=Number(n=4))
    assert await ended(rerun) == (8, ["begin", "double", "end"])
    with pytest.raises(WorkflowRuntimeError, match=r"a Part, which does not fit.* gives Number"):
        workflow.run_from(first, output_event=Part(n=4))


class Choosing(Workflow):
    """A step chooses one of two ways."""

    @step
    async def choose(self, ev: Number) -> Left | Right | StopEvent:
        return Left(n=ev.n) if ev.n else StopEvent(result="nothing to choose")

    @step
    async def left(self, ev: Left) -> StopEvent:
        return StopEvent(result=("left", ev.n))

    @step
    async def right(self, ev: Right) -> StopEvent:
        return StopEvent(result=("right", ev.n))


@CARRIED
async def test_another_event_that_the_step_may_give_leads_another_way(carried: Carried) -> None:
    workflow = Choosing()
    source = workflow.run(n=1)
    assert await ended(source) == ("left", 1)
    chosen = carried(workflow, own(source)[1])
    assert await ended(workflow.run_from(chosen, output_event=Right(n=2))) == ("right", 2)


@pytest.mark.parametrize("event", [Part(n=1), StopEvent(result=1), Event(), Number(n=1)])
async def test_an_event_that_the_step_never_gives_is_refused_and_what_fits_is_named(
    event: Event,
) -> None:
    workflow = Choosing()
    source = workflow.run(n=1)
    await ended(source)
    said = f"a {type(event).__name__}, which does not fit.*step 'choose' gives Left, Right"
    with pytest.raises(WorkflowRuntimeError, match=said):
        workflow.run_from(own(source)[1], output_event=event)


async def test_nothing_stands_for_an_event_where_none_was_given() -> None:
    workflow = FanOut()
    source = workflow.run()
    await ended(source)
    scattered = own(source)[1]
    assert scattered.output_event is None
    with pytest.raises(WorkflowRuntimeError, match="No event was given"):
        workflow.run_from(scattered, output_event=Part(n=1))


async def test_nothing_stands_for_the_event_that_has_ended_the_run() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    with pytest.raises(WorkflowRuntimeError, match="nothing is left"):
        workflow.run_from(own(source)[-1], output_event=Done(n=1))


async def test_nothing_stands_for_a_whole_list() -> None:
    workflow = Members()
    source = workflow.run()
    await ended(source)
    with pytest.raises(WorkflowRuntimeError, match="does not fit"):
        workflow.run_from(own(source)[1], output_event=Part(n=1))


async def test_the_answer_that_a_step_has_taken_may_be_another() -> None:
    workflow = Approving()
    source = workflow.run()
    await shown(source, Question)
    source.send_event(Answer(word="yes"))
    assert await ended(source) == (True, "yes")
    heard = next(c for c in own(source) if isinstance(c.output_event, Answer))
    rerun = workflow.run_from(heard, output_event=Answer(word="no"))
    assert await ended(rerun) == (True, "no")


async def test_the_answer_that_a_waiting_step_has_heard_may_not() -> None:
    workflow = Asking()
    source = workflow.run()
    source.send_event(Answer(word="yes"), step=None)
    await ended(source)
    heard = next(c for c in own(source) if isinstance(c.output_event, Answer))
    early = workflow.run_from(heard, output_event=Answer(word="no"))
    assert await ended(early) == ["no", 0, 1, 2]

    source = workflow.run()
    await waiting(source)
    source.send_event(Answer(word="yes"))
    await ended(source)
    heard = next(c for c in own(source) if isinstance(c.output_event, Answer))
    with pytest.raises(WorkflowRuntimeError, match="answered"):
        workflow.run_from(heard, output_event=Answer(word="no"))


async def test_whoever_watches_the_rerun_is_asked_the_other_question() -> None:
    workflow = Approving()
    source = workflow.run()
    await shown(source, Question)
    asked = own(source)[-1]
    assert asked.output_event == Question()
    rerun = workflow.run_from(asked, output_event=Question(prefix="Really?"))
    assert await shown(rerun, Question) == Question(prefix="Really?")
    rerun.send_event(Answer(word="yes"))
    assert await ended(rerun) == (True, "yes")
    await source.cancel_run()


async def test_changing_the_other_event_later_changes_nothing() -> None:
    workflow = Chain()
    source = workflow.run(n=3)
    await ended(source)
    event = Part(n=5)
    rerun = workflow.run_from(own(source)[1], output_event=event)
    event.n = 6
    assert await ended(rerun) == (10, ["begin", "double", "end"])
