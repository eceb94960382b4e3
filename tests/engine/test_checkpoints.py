"""Checkpoints: nothing that comes later changes one, and each goes to JSON and back."""

import asyncio

from cairn import (
    Context,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.sending import Chain, Number, Part, Scatter
from tests.engine.flows.shapes import Shape
from tests.engine.tools.runs import ended, own, state, through_json, until


async def test_a_rerun_leaves_the_checkpoints_of_its_source_as_they_are() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    before = [c.model_dump_json() for c in own(source)]
    await ended(workflow.run_from(checkpoint=own(source)[1], ctx=source.ctx))
    assert [c.model_dump_json() for c in own(source)] == before


async def test_every_checkpoint_goes_to_json_and_back_unchanged(shape: Shape) -> None:
    workflow = shape.workflow()
    source = workflow.run()
    for answer in shape.answers:
        source.send_event(answer)
    await ended(source)
    for checkpoint in own(source):
        back = through_json(workflow, checkpoint)
        assert back == checkpoint
        assert type(back.input_event) is type(checkpoint.input_event)
        assert type(back.output_event) is type(checkpoint.output_event)
        assert back.ctx_state == checkpoint.ctx_state
        assert back.model_dump_json() == checkpoint.model_dump_json()


async def test_changing_what_get_returned_later_changes_no_checkpoint() -> None:
    kept = []

    class Keeping(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part:
            mine = {"inner": [1]}
            await ctx.set("value", mine)
            kept.append(mine)
            return Part(n=1)

        @step
        async def look(self, ctx: Context, ev: Part) -> StopEvent:
            kept.append(await ctx.get("value"))
            return StopEvent(result=kept[-1])

    workflow = Keeping()
    source = workflow.run()
    kept.append(await ended(source))
    kept.append(await source.ctx.get("value"))
    before = [c.model_dump_json() for c in own(source)]
    for value in kept:
        value["inner"].append(2)
    assert [c.model_dump_json() for c in own(source)] == before
    assert await source.ctx.get("value") == {"inner": [1]}
    assert await ended(workflow.run_from(checkpoint=own(source)[1])) == {"inner": [1]}


async def test_changing_an_event_later_changes_no_checkpoint_and_no_other_receiver() -> None:
    sent = Part(n=1)
    sent["words"] = ["first"]
    released = asyncio.Event()

    class Changing(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return sent

        @step
        async def spoil(self, ev: Part) -> Scatter:
            ev.n = 2
            ev["words"].append("spoilt")
            sent["words"].append("spoilt")
            return Scatter()

        @step
        async def release(self, ev: Scatter) -> None:
            released.set()

        @step
        async def look(self, ctx: Context, ev: Part) -> StopEvent:
            await until(released)
            return StopEvent(result=(ev.n, ev["words"]))

    workflow = Changing()
    source = workflow.run()
    assert await ended(source) == (1, ["first"])
    begun = next(c for c in own(source) if c.last_completed_step == "begin")
    assert begun.output_event == Part(n=1, words=["first"])
    assert await ended(workflow.run_from(checkpoint=begun)) == (1, ["first"])


async def test_changing_what_a_checkpoint_shows_changes_no_rerun() -> None:
    workflow = Chain()
    source = workflow.run(n=1)
    result = await ended(source)
    begun = own(source)[1]
    state(begun)["trail"] = ["else"]
    assert begun.output_event is not None
    begun.output_event["n"] = 5
    assert await ended(workflow.run_from(checkpoint=begun)) == result
    back = through_json(workflow, begun)
    assert await ended(workflow.run_from(checkpoint=back)) == result


async def test_a_checkpoint_after_many_steps_is_as_large_as_after_few() -> None:
    class Around(Workflow):
        @step
        async def around(self, ev: Number) -> Number | StopEvent:
            return Number(n=ev.n - 1) if ev.n else StopEvent()

    source = Around().run(n=1500)
    await ended(source)
    few, many = own(source)[500], own(source)[-2]
    assert len(many.model_dump_json()) < len(few.model_dump_json()) * 1.1
