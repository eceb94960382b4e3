"""WorkflowCheckpointer; and what a workflow is given besides its steps."""

from typing import Annotated

import pytest

from cairn import (
    Context,
    Resource,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowCheckpointer,
    WorkflowStepDoesNotExistError,
    WorkflowValidationError,
    step,
)
from tests.engine.flows.raising_or_standing import Standing
from tests.engine.flows.sending import Chain, Part
from tests.engine.tools.runs import ended, until_true


async def test_the_checkpoints_of_each_run_are_found_by_its_id() -> None:
    checkpointer = WorkflowCheckpointer(workflow=Chain())
    first, second = checkpointer.run(n=3), checkpointer.run(n=4)
    await ended(first)
    await ended(second)
    assert list(checkpointer.checkpoints) == [first.run_id, second.run_id]
    steps = [c.last_completed_step for c in checkpointer.checkpoints[first.run_id]]
    assert steps == ["begin", "double", "end"]
    assert len(checkpointer.filter_checkpoints(last_completed_step="begin")) == 2
    assert len(checkpointer.filter_checkpoints(run_id=first.run_id)) == 3
    assert len(checkpointer.filter_checkpoints(output_event_type=StopEvent)) == 2
    with pytest.raises(ValueError, match="at least one filter"):
        checkpointer.filter_checkpoints()


async def test_a_run_from_a_checkpoint_is_one_more() -> None:
    checkpointer = WorkflowCheckpointer(workflow=Chain())
    first = checkpointer.run(n=3)
    await ended(first)
    begun = checkpointer.filter_checkpoints(run_id=first.run_id, last_completed_step="begin")[0]
    rerun = checkpointer.run_from(checkpoint=begun)
    await ended(rerun)
    assert len(checkpointer.checkpoints[rerun.run_id]) == 2


async def test_steps_can_be_left_out_and_taken_in_again() -> None:
    checkpointer = WorkflowCheckpointer(workflow=Chain(), disabled_steps=["double"])
    first = checkpointer.run(n=3)
    checkpointer.enable_checkpoint("double")
    checkpointer.disable_checkpoint("begin")
    second = checkpointer.run(n=3)
    for handler, steps in ((first, ["begin", "end"]), (second, ["double", "end"])):
        await ended(handler)
        found = checkpointer.checkpoints[handler.run_id]
        assert [c.last_completed_step for c in found] == steps
    with pytest.raises(WorkflowStepDoesNotExistError, match="no step 'duoble'"):
        checkpointer.enable_checkpoint("duoble")


async def test_no_more_runs_are_under_way_at_once_than_may_be() -> None:
    class Few(Standing):
        def __init__(self) -> None:
            super().__init__()
            self.num_concurrent_runs = 1

    workflow = Few()
    first, second = workflow.run(), workflow.run()
    await workflow.reached.wait()
    assert second.snapshot is None
    cancelled = workflow.run()
    await cancelled.cancel_run()
    assert cancelled.cancelled()
    workflow.go_on.set()
    assert [await ended(first), await ended(second)] == [1, 1]
    with pytest.raises(WorkflowValidationError, match="num_concurrent_runs"):
        Chain(num_concurrent_runs=0)


async def test_a_verbose_workflow_prints_what_its_steps_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await ended(Chain(verbose=True).run(n=3))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[begin:0] works on ")
    assert lines[-1] == "[end:0] gave StopEvent"


async def test_a_function_becomes_a_step_of_the_workflow_that_it_names() -> None:
    class Joined(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=ev.n)

    @step(workflow=Joined)
    async def end(ctx: Context, ev: Part) -> StopEvent:
        await ctx.set("n", ev.n)
        return StopEvent(result=ev.n + 1)

    assert await ended(Joined().run(n=1)) == 2
    with pytest.raises(WorkflowValidationError, match="a step 'end' already"):
        Joined.add_step(end)
    with pytest.raises(WorkflowValidationError, match="is in no class"):

        @step
        async def nowhere(ev: Part) -> StopEvent:
            return StopEvent()


class Asking(Workflow):
    """Has another workflow do the work."""

    @step
    async def begin(self, ev: StartEvent, worker: Chain) -> StopEvent:
        return StopEvent(result=await worker.run(n=ev.n))


async def test_a_step_is_given_the_workflow_of_its_parameters_name() -> None:
    asking = Asking()
    with pytest.raises(WorkflowValidationError, match="add_workflows"):
        await ended(asking.run(n=3))
    asking.add_workflows(worker=Chain())
    assert await ended(asking.run(n=3)) == await ended(Chain().run(n=3))


async def test_a_resource_is_made_once_for_a_workflow_or_for_each_step() -> None:
    made: list[str] = []

    def cached() -> list[str]:
        made.append("cached")
        return made

    def fresh() -> int:
        made.append("fresh")
        return made.count("fresh")

    class Given(Workflow):
        @step
        async def begin(
            self, ev: StartEvent, it: Annotated[list[str], Resource(cached)]
        ) -> list[Part]:
            return [Part(n=n) for n in range(2)]

        @step
        async def work(
            self,
            ev: Part,
            it: Annotated[list[str], Resource(cached)],
            n: Annotated[int, Resource(fresh, cache=False)],
        ) -> Part | None:
            return None

        @step
        async def end(self, ev: list[Part]) -> StopEvent:
            return StopEvent(result=len(made))

    workflow = Given()
    assert await ended(workflow.run()) == 3
    assert await ended(workflow.run()) == 5
    assert made.count("cached") == 1
    await until_true(workflow.is_done)
