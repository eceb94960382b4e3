"""A rerun that adopts: what steps in flight came to in the source is taken, not executed again."""

from typing import Any

import pytest

from cairn import (
    ConstantDelayRetryPolicy,
    Context,
    StepFailedEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    catch_error,
    step,
)
from tests.engine.flows.asking import Answer, Question
from tests.engine.flows.in_flight import Beside, Members, Slow, Ticked, amid, first_worked, numbers
from tests.engine.flows.sending import Done, Part
from tests.engine.flows.shapes import Shape
from tests.engine.tools.runs import (
    completed,
    ended,
    own,
    rerun_everywhere,
    shown,
    state,
    through_json,
    until,
)


class Sending(Beside):
    """A slow step sends before and after the quick one completes; each part is worked on."""

    begins = (Slow(n=1),)

    @step
    async def slow(self, ctx: Context, ev: Slow) -> Part:
        self.executed["slow"] += 1
        ctx.send_event(Part(n=0))
        await until(self.opened)
        ctx.send_event(Part(n=1))
        return Part(n=2)

    @step
    async def work(self, ev: Part) -> Done:
        self.executed["work"] += 1
        return Done(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done] * 3)
        return None if done is None else StopEvent(result=sorted(numbers(done)))


async def test_a_step_in_flight_is_not_executed_again_and_what_it_sent_goes_out_once() -> None:
    workflow = Sending()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2]
    rerun = workflow.run_from(amid(source), in_flight="adopt")
    assert await ended(rerun) == [0, 1, 2]
    assert workflow.executed == {"slow": 1, "work": 6}
    assert completed(own(rerun)) == {"slow": 1, "open": 1, "work": 3, "gather": 3}


async def test_a_step_in_flight_is_executed_again_where_nothing_else_is_asked_for() -> None:
    workflow = Sending()
    source = workflow.run()
    await ended(source)
    assert await ended(workflow.run_from(amid(source))) == [0, 1, 2]
    assert workflow.executed["slow"] == 2


async def test_what_is_adopted_leaves_the_checkpoints_that_it_left_in_the_source() -> None:
    workflow = Sending()
    source = workflow.run()
    await ended(source)
    checkpoint = amid(source)
    rerun = workflow.run_from(checkpoint, in_flight="adopt")
    await ended(rerun)
    adopted = own(rerun)[0]
    assert (adopted.last_completed_step, adopted.input_event) == ("slow", Slow(n=1))
    assert adopted.output_event == Part(n=2)


async def test_a_step_queued_for_a_worker_is_adopted_as_one_that_was_under_way() -> None:
    class OneWorker(Beside):
        begins = (Part(n=0), Part(n=1), Part(n=2))

        @step(num_workers=1)
        async def work(self, ev: Part) -> Done:
            self.executed["work"] += 1
            await until(self.opened)
            return Done(n=ev.n)

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            done = ctx.collect_events(ev, [Done] * 3)
            return None if done is None else StopEvent(result=numbers(done))

    workflow = OneWorker()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2]
    assert await ended(workflow.run_from(amid(source), in_flight="adopt")) == [0, 1, 2]
    assert workflow.executed["work"] == 3


class Writing(Beside):
    """A slow step reads before others write, and writes after them."""

    begins = (Slow(n=1),)

    @step
    async def slow(self, ctx: Context, ev: Slow) -> Done:
        self.executed["slow"] += 1
        count, words = await ctx.get("count", default=0), await ctx.get("words", default=[])
        keys, names = await ctx.get("keys", default={}), await ctx.get("names", default=set())
        await until(self.opened)
        await ctx.set("count", count + 1)
        await ctx.set("words", [*words, "slow"])
        await ctx.set("keys", keys | {"slow": 1})
        await ctx.set("names", names | {"slow"})
        return Done(n=1)

    @step
    async def write(self, ctx: Context, ev: Ticked) -> Done:
        await ctx.set("count", await ctx.get("count", default=0) + 10)
        await ctx.set("words", [*await ctx.get("words", default=[]), "write"])
        await ctx.set("keys", await ctx.get("keys", default={}) | {"write": 2})
        await ctx.set("names", await ctx.get("names", default=set()) | {"write"})
        return Done(n=2)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        if ctx.collect_events(ev, [Done, Done]) is None:
            return None
        await ctx.set("words", sorted(await ctx.get("words")))
        return StopEvent(result=await ctx.get("count"))


async def test_what_an_adopted_step_wrote_is_merged_with_what_the_rerun_writes() -> None:
    workflow = Writing()
    source = workflow.run()
    assert await ended(source) == 11
    rerun = workflow.run_from(amid(source), in_flight="adopt")
    assert await ended(rerun) == 11
    assert state(own(rerun)[-1]) == state(own(source)[-1])
    assert await rerun.ctx.get("words") == ["slow", "write"]
    assert await rerun.ctx.get("keys") == {"slow": 1, "write": 2}
    assert await rerun.ctx.get("names") == {"slow", "write"}
    assert workflow.executed["slow"] == 1


async def test_a_wait_that_was_answered_later_in_the_source_needs_no_answer_again() -> None:
    class Asking(Beside):
        begins = (Slow(n=1),)

        @step
        async def ask(self, ctx: Context, ev: Slow) -> StopEvent:
            self.executed["ask"] += 1
            ctx.send_event(Part(n=1))
            answer = await ctx.wait_for_event(Answer, waiter_event=Question())
            return StopEvent(result=(answer.word, await ctx.get("noted")))

        @step
        async def note(self, ctx: Context, ev: Part) -> None:
            await ctx.set("noted", ev.n)

    workflow = Asking()
    source = workflow.run()
    await shown(source, Question)
    source.send_event(Answer(word="yes"))
    assert await ended(source) == ("yes", 1)
    assert await ended(workflow.run_from(amid(source), in_flight="adopt")) == ("yes", 1)
    assert workflow.executed["ask"] == 1


async def test_a_caught_failure_is_caught_again_without_failing_again() -> None:
    class Failing(Beside):
        begins = (Slow(n=1),)

        @step
        async def slow(self, ctx: Context, ev: Slow) -> Part:
            self.executed["slow"] += 1
            await ctx.set("written", True)
            await until(self.opened)
            raise ValueError("too slow")

        @catch_error
        async def instead(self, ctx: Context, ev: StepFailedEvent) -> StopEvent:
            written = await ctx.get("written", default=False)
            return StopEvent(result=(str(ev.exception), ev.input_event, written))

    workflow = Failing()
    source = workflow.run()
    assert await ended(source) == ("too slow", Slow(n=1), False)
    rerun = workflow.run_from(amid(source), in_flight="adopt")
    assert await ended(rerun) == ("too slow", Slow(n=1), False)
    assert workflow.executed["slow"] == 1


async def test_a_step_that_was_tried_again_is_adopted_with_what_it_came_to_in_the_end() -> None:
    class Trying(Beside):
        begins = (Slow(n=1),)

        @step(retry_policy=ConstantDelayRetryPolicy(delay=0, maximum_attempts=3))
        async def slow(self, ctx: Context, ev: Slow) -> StopEvent:
            self.executed["slow"] += 1
            await until(self.opened)
            if self.executed["slow"] < 3:
                raise ValueError("try again")
            return StopEvent(result=self.executed["slow"])

    workflow = Trying()
    source = workflow.run()
    assert await ended(source) == 3
    assert await ended(workflow.run_from(amid(source), in_flight="adopt")) == 3
    assert workflow.executed["slow"] == 3


async def test_members_of_a_batch_are_adopted_and_gathered_in_the_order_of_their_list() -> None:
    workflow = Members()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2]
    rerun = workflow.run_from(first_worked(source), in_flight="adopt")
    assert await ended(rerun) == [0, 1, 2]
    assert workflow.executed["work"] == 3


async def test_a_rerun_adopts_from_every_checkpoint_of_every_shape(shape: Shape) -> None:
    workflow = shape.workflow()
    source = workflow.run()
    for answer in shape.answers:
        await shown(source, Question)
        source.send_event(answer)
    await rerun_everywhere(workflow, source, *shape.answers, in_flight="adopt")


@pytest.mark.parametrize("in_flight", ["rerun", "adopt"])
@pytest.mark.parametrize("kind", [Sending, Writing, Members])
async def test_an_adopting_rerun_is_rerun_from_its_own_checkpoints(
    kind: type[Workflow], in_flight: Any
) -> None:
    workflow = kind()
    source = workflow.run()
    await ended(source)
    first = next(c for c in own(source) if c.last_completed_step in ("quick", "work"))
    rerun = workflow.run_from(first, in_flight="adopt")
    await rerun_everywhere(workflow, rerun, in_flight=in_flight)


async def test_a_checkpoint_from_json_does_not_know_what_there_is_to_adopt() -> None:
    workflow = Sending()
    source = workflow.run()
    await ended(source)
    back = through_json(workflow, amid(source))
    with pytest.raises(WorkflowRuntimeError, match="not from JSON"):
        workflow.run_from(back, in_flight="adopt")
    assert await ended(workflow.run_from(back)) == [0, 1, 2]
