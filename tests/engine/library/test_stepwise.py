"""Step by step: nothing is started before the caller says so."""

import pytest

from cairn import Context, Event, StartEvent, StopEvent, Workflow, WorkflowRuntimeError, step
from tests.engine.flows.asking import Answer, Approving, Question
from tests.engine.flows.raising_or_standing import Raises
from tests.engine.flows.sending import Chain, Done, FanOut, Part
from tests.engine.tools.runs import ended


async def test_each_call_executes_what_is_pending_and_no_more() -> None:
    handler = FanOut().run(n=3, stepwise=True)
    assert await handler.run_step() == [Part(n=0), Part(n=1), Part(n=2)]
    assert len(handler.ctx.checkpoints) == 2
    assert await handler.run_step() == [Done(n=0), Done(n=1), Done(n=2)]
    assert await handler.run_step() == [StopEvent(result=[0, 1, 2])]
    assert await handler.run_step() is None
    assert await ended(handler) == [0, 1, 2]


async def test_events_sent_on_by_hand_are_not_there_twice() -> None:
    handler = FanOut().run(n=3, stepwise=True)
    while events := await handler.run_step():
        for event in events:
            handler.ctx.send_event(event)
    assert await ended(handler) == [0, 1, 2]
    completed = [c.last_completed_step for c in handler.ctx.checkpoints]
    assert completed.count("work") == completed.count("gather") == 3


async def test_an_event_of_the_callers_own_goes_with_the_next_step() -> None:
    class Two(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=1)

        @step
        async def gather(self, ctx: Context, ev: Part) -> StopEvent | None:
            parts = ctx.collect_events(ev, [Part, Part])
            return None if parts is None else StopEvent(result=[p.get("n") for p in parts])

    handler = Two().run(stepwise=True)
    assert await handler.run_step() == [Part(n=1)]
    await handler.send_event(Part(n=2))
    assert await handler.run_step() == [StopEvent(result=[1, 2])]


async def test_a_failing_step_raises_where_it_is_executed() -> None:
    handler = Raises(LookupError("lost")).run(stepwise=True)
    assert await handler.run_step() == [Part(n=1)]
    for _ in range(2):
        with pytest.raises(LookupError, match="lost"):
            await handler.run_step()


async def test_a_run_that_waits_for_a_person_gives_nothing_until_it_is_told() -> None:
    handler = Approving().run(stepwise=True)
    assert await handler.run_step() == [Question()]
    assert await handler.run_step() == []
    handler.ctx.send_event(Answer(word="yes"))
    assert await handler.run_step() == [StopEvent(result=(True, "yes"))]


async def test_a_rerun_may_go_step_by_step() -> None:
    workflow = Chain()
    source = workflow.run(n=3)
    result = await ended(source)
    begun = source.ctx.filter_checkpoints(last_completed_step="begin")[0]
    rerun = workflow.run_from(begun, stepwise=True)
    given: list[Event] = []
    while (events := await rerun.run_step()) is not None:
        given += events
    assert given[-1] == StopEvent(result=result)
    assert await ended(rerun) == result


async def test_a_run_not_started_step_by_step_cannot_go_on_so() -> None:
    handler = Chain().run(n=1)
    with pytest.raises(WorkflowRuntimeError, match=r"run\(stepwise=True\)"):
        await handler.run_step()
    await ended(handler)
