"""What steps write: seen by the others at once, kept with the checkpoint, merged by key."""

import asyncio
from typing import Any

import pytest

from cairn import Context, Event, StartEvent, StopEvent, Workflow, WorkflowRuntimeError, step
from tests.engine.flows.sending import Done, Part
from tests.engine.tools.runs import BOUND, ended, own, shown, state


class Signal(Event):
    pass


async def test_a_step_reads_what_it_has_written_itself() -> None:
    class Own(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.set("value", [1])
            (await ctx.get("value")).append(2)
            (await ctx.get("value")).append(3)
            return StopEvent(result=await ctx.get("value"))

    handler = Own().run()
    assert await ended(handler) == [1, 2, 3]
    assert await handler.ctx.get("value") == [1, 2, 3]


@pytest.mark.parametrize(("was", "made"), [(1, True), (1, 1.0), (0, False), (0.0, -0.0)], ids=str)
@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "set"])
async def test_a_change_to_an_equal_value_of_another_kind_is_kept(
    was: Any, made: Any, in_place: bool
) -> None:
    class Changes(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part:
            await ctx.set("value", {"it": [was]})
            return Part(n=1)

        @step
        async def change(self, ctx: Context, ev: Part) -> Done:
            value = await ctx.get("value")
            if in_place:
                value["it"][0] = made
            else:
                await ctx.set("value", {"it": [made]})
            return Done(n=1)

        @step
        async def look(self, ctx: Context, ev: Done) -> StopEvent:
            return StopEvent(result=await ctx.get("value"))

    assert repr(await ended(Changes().run())) == repr({"it": [made]})


async def test_each_get_is_a_value_of_its_own() -> None:
    class Two(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
            await ctx.set("value", [0])
            ctx.send_event(Part(n=1))
            ctx.send_event(Part(n=2))
            return None

        @step
        async def work(self, ctx: Context, ev: Part) -> Done:
            value = await ctx.get("value")
            value.append(ev.n)
            return Done(n=id(value))

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            if ctx.collect_events(ev, [Done, Done]) is None:
                return None
            return StopEvent(result=sorted(await ctx.get("value")))

    assert await ended(Two().run()) == [0, 1, 2]


async def test_a_missing_key_is_named() -> None:
    class Asks(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            assert await ctx.get("nothing", default=None) is None
            return StopEvent(result=await ctx.get("no such key"))

    with pytest.raises(ValueError, match="no such key"):
        await ended(Asks().run())


async def test_a_default_is_not_written() -> None:
    class Asks(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            return StopEvent(result=await ctx.get("value", default=7))

    handler = Asks().run()
    assert await ended(handler) == 7
    assert state(own(handler)[-1]) == {}


async def test_a_default_may_be_anything() -> None:
    class Asks(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            missing = object()
            return StopEvent(result=await ctx.get("value", default=missing) is missing)

    assert await ended(Asks().run()) is True


async def test_a_default_changed_in_place_is_not_written() -> None:
    class Changes(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            value = await ctx.get("value", default=[])
            value.append(1)
            return StopEvent(result=value)

    handler = Changes().run()
    assert await ended(handler) == [1]
    assert state(own(handler)[-1]) == {}


async def test_the_state_is_read_and_written_between_runs() -> None:
    class Adds(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.set("count", await ctx.get("count") + 1)
            return StopEvent()

    workflow = Adds()
    ctx = Context(workflow=workflow)
    await ctx.set("count", 41)
    await ended(workflow.run(ctx=ctx))
    assert await ctx.get("count") == 42
    await ctx.set("count", 0)
    await ended(workflow.run(ctx=ctx))
    assert await ctx.get("count") == 1
    assert state(ctx.checkpoints[0]) == {"count": 41}


async def test_two_contexts_share_no_state() -> None:
    class Adds(Workflow):
        @step
        async def only(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.set("count", await ctx.get("count", default=0) + 1)
            return StopEvent(result=await ctx.get("count"))

    workflow = Adds()
    assert [await ended(workflow.run()) for _ in range(2)] == [1, 1]


class Stands(Workflow):
    """A step that has written and will not complete."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part:
        await ctx.set("value", ["kept"])
        return Part(n=1)

    @step
    async def stand(self, ctx: Context, ev: Part) -> StopEvent:
        (await ctx.get("value")).append("lost")
        await ctx.set("other", 1)
        ctx.write_event_to_stream(Signal())
        await asyncio.sleep(BOUND)
        return StopEvent()


async def test_what_an_interrupted_step_wrote_vanishes() -> None:
    workflow = Stands()
    handler = workflow.run()
    await shown(handler, Signal)
    await handler.cancel_run()
    assert handler.exception() is not None
    assert await handler.ctx.get("value") == ["kept"]
    assert await handler.ctx.get("other", default=None) is None
    assert state(own(handler)[-1]) == {"value": ["kept"]}


async def test_a_step_that_has_completed_may_write_and_send_no_more() -> None:
    kept = []

    class Keeps(Workflow):
        @step
        async def keep(self, ctx: Context, ev: StartEvent) -> Part:
            kept.append(ctx)
            return Part(n=1)

        @step
        async def use(self, ctx: Context, ev: Part) -> StopEvent:
            with pytest.raises(WorkflowRuntimeError, match="keep"):
                await kept[0].set("value", 1)
            with pytest.raises(WorkflowRuntimeError, match="keep"):
                kept[0].send_event(Part(n=2))
            return StopEvent(result=await ctx.get("value", default="nothing"))

    assert await ended(Keeps().run()) == "nothing"


async def test_writing_from_outside_while_a_run_is_under_way_is_refused() -> None:
    handler = Stands().run()
    await shown(handler, Signal)
    with pytest.raises(WorkflowRuntimeError, match="under way"):
        await handler.ctx.set("value", 1)
    await handler.cancel_run()
    await handler.ctx.set("value", 1)
    assert await handler.ctx.get("value") == 1


async def test_untouched_state_is_not_serialised_again() -> None:
    class Touches(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part:
            await ctx.set("big", "x" * 1_000_000)
            return Part(n=0)

        @step
        async def around(self, ctx: Context, ev: Part) -> Part | StopEvent:
            await ctx.set("small", ev.n)
            return Part(n=ev.n + 1) if ev.n < 20 else StopEvent()

    handler = Touches().run()
    await ended(handler)
    assert len(own(handler)) == 23
    assert all(len(state(c)["big"]) >= 1_000_000 for c in own(handler)[1:])
    assert len({id(c.snapshot.state["big"]) for c in own(handler)[1:]}) == 1
