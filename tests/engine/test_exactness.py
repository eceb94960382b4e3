"""A rerun from any checkpoint of any run gives what the run itself gave."""

from collections.abc import Callable

import pytest

from cairn import (
    Checkpoint,
    Context,
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    step,
)
from tests.engine.flows.asking import Answer, Approving, Asking, Question
from tests.engine.flows.sending import Chain, Counting, Done, Equals, FanOut, Loop, Part
from tests.engine.flows.shapes import SHAPES, Shape
from tests.engine.tools.runs import (
    completed,
    ended,
    own,
    rerun_everywhere,
    shown,
    state,
    through_json,
    until_true,
    waiting,
)

Carried = Callable[[Workflow, Checkpoint], Checkpoint]


async def test_a_run_gives_its_result(shape: Shape) -> None:
    handler = shape.workflow().run()
    for answer in shape.answers:
        handler.send_event(answer)
    assert await ended(handler) == shape.result


@pytest.mark.parametrize("carried", [lambda _, c: c, through_json], ids=["as it is", "as JSON"])
async def test_a_rerun_from_every_checkpoint_gives_the_same(shape: Shape, carried: Carried) -> None:
    workflow = shape.workflow()
    source = workflow.run()
    for answer in shape.answers:
        await shown(source, Question)
        source.send_event(answer)
    await rerun_everywhere(workflow, source, *shape.answers, carried=carried)


@pytest.mark.parametrize(
    "shape", [s for s in SHAPES if s.answers], indirect=True, ids=lambda s: s.workflow.__name__
)
async def test_an_answer_that_came_before_it_was_asked_for_is_heard_in_every_rerun(
    shape: Shape,
) -> None:
    workflow = shape.workflow()
    source = workflow.run()
    for answer in shape.answers:
        source.send_event(answer)
    assert await ended(source) == shape.result
    await rerun_everywhere(workflow, source, *shape.answers)


@pytest.mark.parametrize("asks", [Asking, Approving])
async def test_a_rerun_before_the_answer_may_be_answered_otherwise(asks: type[Workflow]) -> None:
    workflow = asks()
    source = workflow.run()
    await shown(source, Question)
    source.send_event(Answer(word="yes"))
    await ended(source)
    asked = next(c for c in own(source) if isinstance(c.output_event, Question))
    rerun = workflow.run_from(checkpoint=asked)
    rerun.send_event(Answer(word="no"))
    assert "no" in await ended(rerun)


async def test_whoever_watches_the_rerun_of_a_waiting_step_is_asked_again() -> None:
    workflow = Asking()
    source = workflow.run()
    rerun = workflow.run_from(checkpoint=await waiting(source))
    await shown(rerun, Question)
    rerun.send_event(Answer(word="no"))
    assert await ended(rerun) == ["no", 0, 1, 2]
    await source.cancel_run()


@pytest.mark.parametrize("workflow", [Loop, FanOut, Equals, Counting])
async def test_a_rerun_of_a_rerun_gives_the_same(workflow: type[Workflow]) -> None:
    flow = workflow()
    source = flow.run()
    await ended(source)
    rerun = flow.run_from(checkpoint=own(source)[2])
    await rerun_everywhere(flow, rerun)


async def test_nothing_is_left_to_run_from_the_checkpoint_of_a_stop_event() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    with pytest.raises(WorkflowRuntimeError, match=r"(?i)nothing"):
        workflow.run_from(checkpoint=own(source)[-1])


async def test_a_value_changed_in_place_counts_as_written() -> None:
    class InPlace(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part:
            await ctx.set("deep", {"list": [1], "set": {1}})
            return Part(n=1)

        @step
        async def change(self, ctx: Context, ev: Part) -> Done:
            deep = await ctx.get("deep")
            deep["list"].append(2)
            deep["set"].add(2)
            return Done(n=1)

        @step
        async def look(self, ctx: Context, ev: Done) -> StopEvent:
            return StopEvent(result=await ctx.get("deep"))

    workflow = InPlace()
    source = workflow.run()
    assert await ended(source) == {"list": [1, 2], "set": {1, 2}}
    await rerun_everywhere(workflow, source)


class Refused(Exception):
    pass


class Fails(Workflow):
    """A step that writes, sends, collects and then fails; until it is mended."""

    def __init__(self) -> None:
        super().__init__()
        self.mended = False
        self.tried = 0

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part:
        await ctx.set("log", ["begin"])
        return Part(n=1)

    @step
    async def work(self, ctx: Context, ev: Part) -> Done:
        self.tried += 1
        await ctx.set("written", self.tried)
        (await ctx.get("log")).append("work")
        ctx.send_event(Done(n=1))
        ctx.collect_events(ev, [Part, Part])
        if not self.mended:
            raise Refused("not yet")
        return Done(n=2)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * 2)
        if done is None:
            return None
        return StopEvent(result=(await ctx.get("log"), sorted(d.get("n") for d in done)))


async def test_a_failing_step_keeps_nothing_it_wrote_sent_or_collected() -> None:
    handler = Fails().run()
    with pytest.raises(Refused, match="not yet"):
        await ended(handler)
    assert completed(own(handler)) == {"begin": 1}
    assert await handler.ctx.get("written", default=None) is None
    assert await handler.ctx.get("log") == ["begin"]


async def test_a_failed_run_goes_on_from_its_last_checkpoint_once_its_code_is_mended() -> None:
    workflow = Fails()
    failed = workflow.run()
    with pytest.raises(Refused):
        await ended(failed)
    workflow.mended = True
    rerun = workflow.run_from(checkpoint=own(failed)[-1], ctx=failed.ctx)
    assert await ended(rerun) == (["begin", "work"], [1, 2])
    assert completed(own(rerun)) == {"work": 1, "gather": 2}


async def test_a_rerun_begins_with_its_checkpoints_state_whatever_the_context_has_become() -> None:
    workflow = Loop()
    ctx = Context(workflow=workflow)
    source = workflow.run(ctx=ctx)
    assert await ended(source) == [3, 2, 1, 0]
    await ctx.set("seen", ["else"])
    rerun = workflow.run_from(checkpoint=own(source)[2], ctx=ctx)
    assert await ended(rerun) == [3, 2, 1, 0]


async def test_a_context_stands_where_the_run_that_ended_last_in_it_left_it() -> None:
    workflow = Loop()
    ctx = Context(workflow=workflow)
    source = workflow.run(ctx=ctx, n=1)
    await ended(source)
    await ended(workflow.run(ctx=ctx, n=2))
    assert await ctx.get("seen") == [2, 1, 0]
    await ended(workflow.run_from(checkpoint=own(source)[1], ctx=ctx))
    assert await ctx.get("seen") == [1, 0]


async def test_a_rerun_in_a_new_context_leaves_the_old_one_alone() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    count = len(source.ctx.checkpoints)
    rerun = workflow.run_from(checkpoint=own(source)[1])
    await ended(rerun)
    assert rerun.ctx is not source.ctx
    assert len(source.ctx.checkpoints) == count


async def test_a_checkpoint_is_rerun_by_another_instance_of_its_workflow() -> None:
    source = Chain().run()
    await ended(source)
    assert await ended(Chain().run_from(checkpoint=own(source)[1])) == await source


async def test_a_checkpoint_while_two_steps_wait_is_rerun_with_both_still_waiting() -> None:
    class TwoWaiting(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
            ctx.send_event(Part(n=1))
            ctx.send_event(Part(n=2))
            return None

        @step
        async def ask(self, ctx: Context, ev: Part) -> Done:
            await ctx.wait_for_event(
                Answer, waiter_event=Question(n=ev.n), requirements={"n": ev.n}
            )
            return Done(n=ev.n)

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            done = ctx.collect_events(ev, [Done, Done])
            return None if done is None else StopEvent(result=[d.get("n") for d in done])

    workflow = TwoWaiting()
    source = workflow.run()
    await until_true(lambda: len(own(source)) == 1 + 1 + 2)
    both_wait = own(source)[-1]
    for first, second in ((1, 2), (2, 1)):
        rerun = workflow.run_from(checkpoint=both_wait)
        rerun.send_event(Answer(word="a", n=first))
        rerun.send_event(Answer(word="b", n=second))
        assert sorted(await ended(rerun)) == [1, 2]
    await source.cancel_run()
    assert state(both_wait) == {}


def mended(factor: int | None) -> type[Workflow]:
    """The workflow as its file was read at one time or another."""

    class Half(Event):
        n: int

    class Mended(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Half:
            return Half(n=21)

        @step
        async def work(self, ev: Half) -> StopEvent:
            if factor is None:
                raise Refused
            return StopEvent(result=ev.n * factor)

    return Mended


async def test_a_workflow_that_was_mended_and_read_anew_reruns_what_had_failed() -> None:
    old = mended(None)()
    failed = old.run()
    with pytest.raises(Refused):
        await ended(failed)
    last = own(failed)[-1].model_dump_json()
    new = mended(2)()
    back = Checkpoint.model_validate_json(last, context={"workflow": new})
    assert await ended(new.run_from(checkpoint=back)) == 42
