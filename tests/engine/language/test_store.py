"""`ctx.store`: the state by path, whole, and edited in one go."""

from typing import Any, cast

import pytest
from pydantic import BaseModel

from cairn import (
    Context,
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    WorkflowValidationError,
    step,
)


class Part(Event):
    n: int


class Basket(BaseModel):
    fruits: list[str] = []
    count: int = 0
    owner: dict[str, str] = {}


class Filling(Workflow):
    @step
    async def begin(self, ctx: Context[Basket], ev: StartEvent) -> Part | None:
        for n in range(3):
            ctx.send_event(Part(n=n))
        return None

    @step
    async def fill(self, ctx: Context[Basket], ev: Part) -> StopEvent | None:
        async with ctx.store.edit_state() as basket:
            basket.fruits.append(f"fruit {ev.n}")
            basket.count += 1
        parts = ctx.collect_events(ev, [Part] * 3)
        return None if parts is None else StopEvent(result=(await ctx.store.get_state()).count)


async def test_a_typed_state_is_edited_by_parallel_steps_without_loss() -> None:
    workflow = Filling()
    handler = workflow.run()
    assert await handler == 3
    state = await handler.ctx.store.get_state()
    assert isinstance(state, Basket)
    assert (sorted(state.fruits), state.count) == (["fruit 0", "fruit 1", "fruit 2"], 3)
    for checkpoint in handler.ctx.checkpoints[:-1]:
        rerun = workflow.run_from(checkpoint=checkpoint)
        assert await rerun == 3
        again = await rerun.ctx.store.get_state()
        assert (sorted(again.fruits), again.count) == (sorted(state.fruits), 3)


async def test_a_state_without_a_type_takes_any_name() -> None:
    ctx: Context[Any] = Context(Filling())
    with pytest.raises(ValueError, match="Set it first"):
        await ctx.store.get("nothing.there")
    assert await ctx.store.get("nothing.there", default=1) == 1
    await ctx.store.set("owner.name", "ada")
    assert await ctx.store.get("owner") == {"name": "ada"}
    await ctx.store.set("fruits", ["apple", {"kind": "pear"}])
    await ctx.store.set("fruits.1.kind", "plum")
    assert await ctx.store.get("fruits.1.kind") == "plum"
    with pytest.raises(ValueError, match="no place 'x'"):
        await ctx.store.set("fruits.x", 1)
    with pytest.raises(ValueError, match="names with dots"):
        await ctx.store.get("a..b")


async def test_a_copy_of_the_whole_state_changes_nothing_and_an_edit_that_fails_neither() -> None:
    ctx: Context[Any] = Context(Filling())
    await ctx.store.set("fruits", ["apple"])
    state = await ctx.store.get_state()
    state.fruits.append("pear")
    with pytest.raises(KeyError):
        await _edit_and_fail(ctx)
    assert await ctx.store.get("fruits") == ["apple"]
    await ctx.store.set_state(Basket(count=7))
    assert await ctx.get("count") == 7
    await ctx.store.clear()
    assert await ctx.store.get_state() == Basket()


async def _edit_and_fail(ctx: Context[Any]) -> None:
    async with ctx.store.edit_state() as state:
        state.fruits.append("plum")
        raise KeyError


async def test_a_state_of_another_type_is_refused() -> None:
    class Other(BaseModel):
        n: int = 0

    with pytest.raises(WorkflowRuntimeError, match="Basket"):
        await Context(Filling()).store.set_state(cast("Any", Other()))


def test_one_workflow_has_one_type_of_state_and_it_has_defaults() -> None:
    class Needy(BaseModel):
        n: int

    class Torn(Workflow):
        @step
        async def begin(self, ctx: Context[Basket], ev: StartEvent) -> Part:
            return Part(n=0)

        @step
        async def end(self, ctx: Context[Needy], ev: Part) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowValidationError) as refused:
        Torn().validate()
    assert "types of state that do not fit: Basket, Needy" in str(refused.value)
    assert "give defaults to n" in str(refused.value)


async def test_an_edit_writes_only_what_it_has_changed() -> None:
    class Editing(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part:
            await ctx.set("a", "x")
            await ctx.set("b", "y")
            return Part(n=0)

        @step
        async def end(self, ctx: Context, ev: Part) -> StopEvent:
            async with ctx.store.edit_state() as state:
                state.a = "z"
                state["c"] = 1
                del state["b"]
            return StopEvent()

    handler = Editing().run()
    await handler
    before, after = (c.ctx_state["globals"] for c in handler.ctx.checkpoints[1:])
    assert before == {"a": "x", "b": "y"}
    assert after == {"a": "z", "c": 1}
    assert (await handler.ctx.store.get_state()).to_dict() == after
