"""Reruns of all sorts at once, and what they leave alone."""

import asyncio
from typing import Any

import pytest

from cairn import (
    Checkpoint,
    Context,
    Event,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    catch_error,
    step,
)
from tests.engine.flows.in_flight import Members, Slow
from tests.engine.flows.sending import Chain, Done, Number, Part
from tests.engine.tools.runs import ended, own


class Pair(Event):
    first: int
    second: int


async def test_a_rerun_of_a_dropping_reruns_own_checkpoints_drops_the_same() -> None:
    workflow = Members()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2]
    first = next(c for c in own(source) if c.last_completed_step == "work")
    dropping = workflow.run_from(first, in_flight="drop")
    assert await ended(dropping) == [0]
    for checkpoint in own(dropping)[:-1]:
        assert await ended(workflow.run_from(checkpoint)) == [0]


class Everything(Workflow):
    """Six parts, three at a time, pair; every third fails once, and is caught."""

    def __init__(self) -> None:
        super().__init__(disable_validation=True)  # it names not all that it sends
        self.executed = 0

    @step
    async def begin(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(6)]

    @step(num_workers=3)
    async def work(self, ctx: Context, ev: Part) -> Done:
        self.executed += 1
        await ctx.set("sum", await ctx.get("sum", default=0) + 1)
        await pause(ev.n)
        if ev.n % 3 == 1 and "again" not in ev:
            raise ValueError("not at once")
        pair = ctx.collect_events(ev, [Part] * 2)
        await pause(ev.n + 2)
        if pair is not None:
            ctx.send_event(Pair(first=pair[0].get("n"), second=pair[1].get("n")))
        return Done(n=ev.n)

    @catch_error(max_recoveries=2)
    async def again(self, ev: StepFailedEvent) -> Part:
        return Part(n=ev.input_event.get("n"), again=True)

    @step
    async def note(self, ctx: Context, ev: Pair) -> None:
        noted = await ctx.get("noted", default=[])
        await ctx.set("noted", sorted([*noted, ev.first, ev.second]))

    @step
    async def gather(self, ctx: Context, ev: list[Done]) -> Slow:
        return Slow(n=len(ev))

    @step
    async def end(self, ctx: Context, ev: Slow) -> StopEvent | Slow:
        if ev.n < 30:  # all pairs are noted by then
            return Slow(n=ev.n + 1)
        return StopEvent(result=(await ctx.get("sum"), await ctx.get("noted")))


async def pause(n: int) -> None:
    for _ in range((7 * n) % 5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("in_flight", ["rerun", "adopt"])
async def test_no_part_is_lost_or_in_two_pairs_from_whichever_checkpoint(in_flight: Any) -> None:
    workflow = Everything()
    source = workflow.run()
    assert await ended(source) == (6, [0, 1, 2, 3, 4, 5])
    for checkpoint in own(source)[:-1]:
        rerun = workflow.run_from(checkpoint, in_flight=in_flight)
        assert await ended(rerun) == (6, [0, 1, 2, 3, 4, 5])


async def test_a_key_of_the_patch_that_is_no_text_is_refused() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    with pytest.raises(WorkflowRuntimeError, match="text"):
        workflow.run_from(own(source)[1], state={1: "one"})  # type: ignore[dict-item]


async def test_fourteen_checkpoints_of_large_events_are_fourteen_times_as_large_as_one() -> None:
    class Around(Workflow):
        @step
        async def begin(self, ev: Number) -> Part:
            return Part(n=ev.n, text="x" * 100_000)

        @step
        async def around(self, ev: Part) -> Part | StopEvent:
            return Part(n=ev.n - 1, text="x" * 100_000) if ev.n else StopEvent()

    source = Around().run(n=11)
    await ended(source)
    sizes = [len(c.model_dump_json()) for c in own(source)]
    assert len(sizes) == 14
    assert max(sizes) < 1.1 * sizes[2]


async def test_changing_a_context_as_a_dict_changes_no_checkpoint_and_no_context() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    before = [c.model_dump_json() for c in own(source)]
    written = source.ctx.to_dict()
    read: Context[Any] = Context.from_dict(workflow, written)
    spoil(written)
    assert [c.model_dump_json() for c in own(source)] == before
    assert await source.ctx.get("trail") == ["begin", "double", "end"]
    assert await read.get("trail") == ["begin", "double", "end"]


async def test_changing_a_checkpoint_as_a_dict_changes_neither_it_nor_others() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    before = [c.model_dump_json() for c in own(source)]
    kept = own(source)[1]
    written = kept.model_dump()
    read = Checkpoint.model_validate(written, context={"workflow": workflow})
    spoil(written)
    assert read.model_dump_json() == before[1]
    assert kept.model_dump_json() == before[1]
    assert [c.model_dump_json() for c in own(source)] == before


def spoil(value: Any) -> None:
    """Change every list and every mapping in it in place."""
    if isinstance(value, dict):
        for item in value.values():
            spoil(item)
        value["spoilt"] = True
    elif isinstance(value, list):
        for item in value:
            spoil(item)
        value.append("spoilt")
