"""A rerun with another state: values that stand for those its checkpoint holds; and all at once."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from cairn import (
    Checkpoint,
    Context,
    SerializationError,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    step,
)
from cairn.engine.library.rerun import InFlight
from tests.engine.flows.in_flight import Beside, Members, Slow, Ticked, amid, first_worked
from tests.engine.flows.sending import Chain, Counting, Done, Loop, Part
from tests.engine.tools.runs import ended, own, rerun_everywhere, state, through_json, until

Carried = Callable[[Workflow, Checkpoint], Checkpoint]
CARRIED = pytest.mark.parametrize(
    "carried", [lambda _, c: c, through_json], ids=["as it is", "as JSON"]
)


@CARRIED
async def test_a_value_of_the_patch_stands_for_the_one_the_checkpoint_holds(
    carried: Carried,
) -> None:
    workflow = Chain()
    source = workflow.run(n=1)
    await ended(source)
    begun = carried(workflow, own(source)[1])
    rerun = workflow.run_from(begun, state={"trail": ["patched"]})
    assert await ended(rerun) == (2, ["patched", "double", "end"])
    assert state(own(rerun)[0]) == {"trail": ["patched", "double"]}


@CARRIED
async def test_the_patch_may_bring_new_keys_and_leaves_the_others(carried: Carried) -> None:
    workflow = Chain()
    source = workflow.run(n=1)
    await ended(source)
    new = {"names": {"ada", "bob"}, "pair": (1, 2.5), "nothing": None}
    rerun = workflow.run_from(carried(workflow, own(source)[1]), state=new)
    assert await ended(rerun) == (2, ["begin", "double", "end"])
    assert {key: await rerun.ctx.get(key) for key in new} == new
    assert state(own(rerun)[0])["trail"] == ["begin", "double"]


async def test_an_empty_patch_changes_nothing() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    assert await ended(workflow.run_from(own(source)[1], state={})) == await source


async def test_the_first_checkpoint_takes_a_patch_too() -> None:
    workflow = Counting()
    source = workflow.run()
    assert await ended(source) == 3
    assert await ended(workflow.run_from(own(source)[0], state={"count": 10})) == 13


async def test_a_value_that_cannot_be_stored_is_refused_by_key_and_type() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    count = len(source.ctx.checkpoints)
    with pytest.raises(SerializationError, match=r"state\['lock'\].*object"):
        workflow.run_from(own(source)[1], ctx=source.ctx, state={"lock": object()})
    assert len(source.ctx.checkpoints) == count
    assert not source.ctx.is_running


async def test_a_patch_changes_neither_its_checkpoint_nor_the_others_of_the_context() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    begun = own(source)[1]
    before = [c.model_dump_json() for c in own(source)]
    shown, json = dict(begun.ctx_state), begun.model_dump_json()
    rerun = workflow.run_from(begun, ctx=source.ctx, state={"trail": ["patched"], "new": 1})
    await ended(rerun)
    assert [c.model_dump_json() for c in own(source)] == before
    assert (begun.ctx_state, begun.model_dump_json()) == (shown, json)
    assert await ended(workflow.run_from(begun)) == await source


async def test_the_context_stands_where_the_patched_rerun_has_left_it() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(own(source)[1], ctx=source.ctx, state={"trail": [], "new": 1})
    await ended(rerun)
    assert await source.ctx.get("trail") == ["double", "end"]
    assert await source.ctx.get("new") == 1


async def test_changing_the_patch_later_changes_nothing() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    patch: dict[str, Any] = {"trail": ["patched"]}
    rerun = workflow.run_from(own(source)[1], state=patch)
    patch["trail"].append("spoilt")
    patch["more"] = 1
    assert await ended(rerun) == (6, ["patched", "double", "end"])
    assert "more" not in state(own(rerun)[-1])


async def test_a_patched_rerun_is_rerun_from_its_own_checkpoints() -> None:
    workflow = Loop()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(own(source)[2], state={"seen": [9]})
    assert await ended(rerun) == [9, 2, 1, 0]
    await rerun_everywhere(workflow, rerun)


class Settings(BaseModel):
    """A state of declared fields."""

    factor: int = 2
    notes: list[str] = []


class Typed(Workflow):
    @step
    async def begin(self, ctx: Context[Settings], ev: StartEvent) -> Part:
        async with ctx.store.edit_state() as settings:
            settings.notes.append("begun")
        return Part(n=3)

    @step
    async def end(self, ctx: Context[Settings], ev: Part) -> StopEvent:
        settings = await ctx.store.get_state()
        return StopEvent(result=(ev.n * settings.factor, settings.notes))


async def test_the_fields_of_a_declared_state_are_patched_by_name() -> None:
    workflow = Typed()
    source = workflow.run()
    assert await ended(source) == (6, ["begun"])
    rerun = workflow.run_from(own(source)[1], state={"factor": 5})
    assert await ended(rerun) == (15, ["begun"])


# All at once


class Adding(Beside):
    """A slow step and one that follows the quick step both add to a total."""

    begins = (Slow(n=1),)

    @step
    async def slow(self, ctx: Context, ev: Slow) -> Done:
        self.executed["slow"] += 1
        total = await ctx.get("total", default=0)
        await until(self.opened)
        await ctx.set("total", total + ev.n)
        return Done(n=ev.n)

    @step
    async def add(self, ctx: Context, ev: Ticked) -> Done:
        n = ev.get("n", 10)
        await ctx.set("total", await ctx.get("total", default=0) + n)
        return Done(n=n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        if ctx.collect_events(ev, [Done, Done]) is None:
            return None
        return StopEvent(result=await ctx.get("total"))


async def test_what_is_adopted_adds_to_the_patch() -> None:
    workflow = Adding()
    source = workflow.run()
    assert await ended(source) == 11
    rerun = workflow.run_from(amid(source), in_flight="adopt", state={"total": 100})
    assert await ended(rerun) == 111
    assert workflow.executed["slow"] == 1
    await rerun_everywhere(workflow, rerun)


async def test_adopting_goes_with_other_data_and_a_patch() -> None:
    workflow = Adding()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(
        amid(source), in_flight="adopt", output_event=Ticked(n=20), state={"total": 100}
    )
    assert await ended(rerun) == 121
    assert workflow.executed["slow"] == 1
    await rerun_everywhere(workflow, rerun)


@CARRIED
async def test_rerunning_what_is_in_flight_goes_with_other_data_and_a_patch(
    carried: Carried,
) -> None:
    workflow = Adding()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(
        carried(workflow, amid(source)), output_event=Ticked(n=20), state={"total": 100}
    )
    assert await ended(rerun) == 121
    assert workflow.executed["slow"] == 2


@CARRIED
async def test_dropping_goes_with_other_data_and_a_patch(carried: Carried) -> None:
    workflow = Adding()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(
        carried(workflow, amid(source)),
        in_flight="drop",
        output_event=Ticked(n=20),
        state={"total": 100},
    )
    rerun.send_event(Done(n=0))
    assert await ended(rerun) == 120
    assert workflow.executed["slow"] == 1


@pytest.mark.parametrize(
    ("in_flight", "result", "worked"),
    [("rerun", [0, 1, 2], 12), ("adopt", [0, 1, 2], 12), ("drop", [0], 10)],
)
async def test_members_of_a_list_that_are_in_flight_go_with_a_patch(
    in_flight: InFlight, result: list[int], worked: int
) -> None:
    workflow = Members()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(first_worked(source), in_flight=in_flight, state={"worked": 10})
    assert await ended(rerun) == result
    assert await rerun.ctx.get("worked") == worked


async def test_step_by_step_a_rerun_begins_with_what_it_has_adopted() -> None:
    workflow = Adding()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(
        amid(source),
        in_flight="adopt",
        output_event=Ticked(n=20),
        state={"total": 100},
        stepwise=True,
    )
    events = await rerun.run_step()
    assert events == [Done(n=20)]
    assert state(own(rerun)[-1]) == {"total": 121}
    while await rerun.run_step() is not None:
        pass
    assert await ended(rerun) == 121


class Prompts(BaseModel):
    prompt: str = "old"


class OpenPrompts(BaseModel):
    model_config = ConfigDict(extra="allow")

    prompt: str = "old"


class Prompting(Workflow):
    @step
    async def only(self, ctx: Context[Prompts], ev: StartEvent) -> StopEvent:
        return StopEvent(result=(await ctx.store.get_state()).prompt)


class Opened(Workflow):
    @step
    async def only(self, ctx: Context[OpenPrompts], ev: StartEvent) -> StopEvent:
        return StopEvent(result=(await ctx.store.get_state()).promt)  # type: ignore[attr-defined]


async def test_a_patch_of_a_field_that_the_state_lacks_is_refused_with_the_near_name() -> None:
    workflow = Prompting()
    source = workflow.run()
    await source
    first = own(source)[0]
    with pytest.raises(WorkflowRuntimeError, match="Did you mean 'prompt'"):
        workflow.run_from(first, state={"promt": "new"})
    assert await ended(workflow.run_from(first, state={"prompt": "new"})) == "new"


async def test_a_state_that_allows_other_fields_is_patched_with_any() -> None:
    workflow = Opened()
    source = workflow.run()
    with pytest.raises(AttributeError):
        await source
    assert await ended(workflow.run_from(own(source)[0], state={"promt": "new"})) == "new"
