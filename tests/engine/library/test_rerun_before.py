"""A rerun from before a checkpoint: its own step is executed again, on its event or another one."""

import pytest

from cairn import Checkpoint, Event, StartEvent, StopEvent, Workflow, WorkflowRuntimeError, step
from tests.engine.flows.sending import Chain, Done, Number, Part
from tests.engine.tools.runs import completed, ended, own, state, through_json


async def test_the_step_of_the_checkpoint_is_executed_again() -> None:
    workflow = Chain()
    source = workflow.run(n=1)
    result = await ended(source)
    for before, checkpoint in zip(own(source), own(source)[1:], strict=False):
        rerun = workflow.run_from(checkpoint, when="before")
        assert await ended(rerun) == result
        assert checkpoint.last_completed_step in completed(own(rerun))
        assert own(rerun)[0].parent is not None
        assert str(own(rerun)[0].parent) == before.id_


async def test_the_step_can_be_given_another_event() -> None:
    workflow = Chain()
    source = workflow.run(n=1)
    await ended(source)
    rerun = workflow.run_from(own(source)[2], when="before", input_event=Part(n=10))
    assert await ended(rerun) == (20, ["begin", "double", "end"])
    assert own(rerun)[0].input_event == Part(n=10)
    first = workflow.run_from(own(source)[1], when="before", input_event=Number(n=4))
    assert await ended(first) == (8, ["begin", "double", "end"])


async def test_the_step_finds_the_state_that_it_had_found_or_a_changed_one() -> None:
    workflow = Chain()
    source = workflow.run(n=1)
    await ended(source)
    rerun = workflow.run_from(own(source)[2], when="before", state={"trail": ["patched"]})
    assert await ended(rerun) == (2, ["patched", "double", "end"])
    assert state(own(source)[1]) == {"trail": ["begin"]}


async def test_so_can_the_first_step_of_a_rerun_with_changes() -> None:
    workflow = Chain()
    source = workflow.run(n=1)
    await ended(source)
    rerun = workflow.run_from(own(source)[1], output_event=Part(n=5), state={"trail": ["new"]})
    await ended(rerun)
    again = workflow.run_from(own(rerun)[0], when="before")
    assert await ended(again) == (10, ["new", "double", "end"])


async def refusal(
    checkpoint: Checkpoint, input_event: Event | None = None, output_event: Event | None = None
) -> str:
    count = len(checkpoint.ctx_state)
    with pytest.raises(WorkflowRuntimeError) as raised:
        Chain().run_from(
            checkpoint, when="before", input_event=input_event, output_event=output_event
        )
    assert len(checkpoint.ctx_state) == count
    return str(raised.value)


async def test_a_change_that_does_not_fit_is_refused_with_the_reason() -> None:
    workflow = Chain()
    source = workflow.run(n=1)
    await ended(source)
    first, second = own(source)[:2]
    assert "no step to execute again" in await refusal(first)
    assert "not from JSON" in await refusal(through_json(workflow, second))
    assert "Step 'begin' takes Number" in await refusal(second, Done(n=1))
    assert "Give an input_event instead" in await refusal(second, output_event=Part(n=1))
    with pytest.raises(WorkflowRuntimeError, match="Give an output_event instead"):
        workflow.run_from(second, input_event=Number(n=1))
    with pytest.raises(WorkflowRuntimeError, match="must be 'after' or 'before'"):
        workflow.run_from(second, when="amid")  # type: ignore[arg-type]


async def test_a_step_that_took_several_events_is_executed_again_on_those_alone() -> None:
    class Two(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> list[Part]:
            return [Part(n=1), Part(n=2)]

        @step
        async def sum(self, ev: list[Part]) -> StopEvent:
            return StopEvent(result=sum(each.n for each in ev))

    workflow = Two()
    source = workflow.run()
    assert await ended(source) == 3
    last = own(source)[-1]
    assert await ended(workflow.run_from(last, when="before")) == 3
    with pytest.raises(WorkflowRuntimeError, match="which one event cannot replace"):
        workflow.run_from(last, when="before", input_event=Part(n=1))
