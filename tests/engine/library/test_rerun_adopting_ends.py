"""A rerun that adopts, where a step in flight gave the StopEvent, or came to nothing."""

import pytest

from cairn import Context, StopEvent, WorkflowRuntimeError, step
from tests.engine.flows.in_flight import Beside, Slow, amid
from tests.engine.tools.runs import completed, ended, own, state, until


class Stopping(Beside):
    """The slow step gives the StopEvent."""

    begins = (Slow(n=1),)

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self.error = error

    @step
    async def slow(self, ctx: Context, ev: Slow) -> StopEvent:
        self.executed["slow"] += 1
        await until(self.opened)
        if self.error is not None:
            raise self.error
        await ctx.set("done", ev.n)
        return StopEvent(result=ev.n)


async def test_a_rerun_that_adopts_the_stop_event_has_ended() -> None:
    workflow = Stopping()
    source = workflow.run()
    assert await ended(source) == 1
    rerun = workflow.run_from(amid(source), in_flight="adopt")
    assert await ended(rerun) == 1
    assert [c.last_completed_step for c in own(rerun)] == ["slow"]
    assert state(own(rerun)[-1]) == state(own(source)[-1]) == {"done": 1}
    assert await rerun.ctx.get("done") == 1
    assert [event async for event in rerun.stream_events()] == [StopEvent(result=1)]
    assert workflow.executed["slow"] == 1
    with pytest.raises(WorkflowRuntimeError, match="nothing is left"):
        workflow.run_from(own(rerun)[-1], in_flight="adopt")


async def test_a_step_that_failed_in_the_source_is_executed() -> None:
    workflow = Stopping(ValueError("not yet"))
    source = workflow.run()
    with pytest.raises(ValueError, match="not yet"):
        await ended(source)
    workflow.error = None
    assert await ended(workflow.run_from(amid(source), in_flight="adopt")) == 1
    assert workflow.executed["slow"] == 2


async def test_a_step_that_was_interrupted_in_the_source_is_executed() -> None:
    workflow = Stopping()
    source = workflow.run()
    async for _ in source.stream_events(expose_internal=True):
        if any(c.last_completed_step == "quick" for c in own(source)):
            break
    await source.cancel_run()
    assert "slow" not in completed(own(source))
    workflow.opened.set()
    assert await ended(workflow.run_from(amid(source), in_flight="adopt")) == 1
    assert workflow.executed["slow"] == 2
