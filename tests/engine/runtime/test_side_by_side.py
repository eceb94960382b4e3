"""Steps side by side: small cases that random workflows have found."""

import asyncio

from cairn import (
    Context,
    Event,
    HumanResponseEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from cairn.engine.runtime.attempt import Attempt
from cairn.engine.runtime.step_context import BehindStep
from tests.engine.tools.runs import ended, own, until, until_true
from tests.engine.tools.virtual_time import in_virtual_time


class Part(Event):
    pass


class Other(Event):
    pass


class Done(Event):
    pass


async def test_a_key_that_another_step_sets_while_one_edits_the_state_is_kept() -> None:
    editing, written = asyncio.Event(), asyncio.Event()

    class Editing(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | Other:
            ctx.send_event(Part())
            return Other()

        @step
        async def edit(self, ctx: Context, ev: Part) -> Done:
            async with ctx.store.edit_state() as state:
                editing.set()
                await until(written)
                state.mine = 1
            return Done()

        @step
        async def write(self, ctx: Context, ev: Other) -> Done:
            await until(editing)
            await ctx.set("theirs", 1)
            written.set()
            return Done()

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            if ctx.collect_events(ev, [Done, Done]) is None:
                return None
            return StopEvent(
                result=[await ctx.get(key, default=None) for key in ("mine", "theirs")]
            )

    assert await ended(Editing().run()) == [1, 1]


async def test_what_two_edits_add_to_a_list_that_was_not_there_is_all_kept() -> None:
    edited, completed = asyncio.Event(), asyncio.Event()

    class Adding(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | Other:
            ctx.send_event(Part())
            return Other()

        @step
        async def first(self, ctx: Context, ev: Part) -> Done:
            async with ctx.store.edit_state() as state:
                state.log = [*state.get("log", []), "first"]
            edited.set()
            await until(completed)
            return Done()

        @step
        async def second(self, ctx: Context, ev: Other) -> Done:
            await until(edited)
            async with ctx.store.edit_state() as state:
                state.log = [*state.get("log", []), "second"]
            return Done()

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            completed.set()
            if ctx.collect_events(ev, [Done, Done]) is None:
                return None
            return StopEvent(result=sorted(await ctx.store.get("log")))

    assert await ended(Adding().run()) == ["first", "second"]


async def test_a_count_at_a_path_that_two_steps_have_read_before_either_writes_adds() -> None:
    both_have_read = asyncio.Barrier(2)

    class Counting(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
            await ctx.store.set("tally", {"a": 0})
            ctx.send_event(Part())
            ctx.send_event(Part())
            return None

        @step
        async def add(self, ctx: Context, ev: Part) -> Done:
            count = await ctx.store.get("tally.a")
            await both_have_read.wait()
            await ctx.store.set("tally.a", count + 1)
            return Done()

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            if ctx.collect_events(ev, [Done, Done]) is None:
                return None
            return StopEvent(result=await ctx.store.get("tally.a"))

    assert await ended(Counting().run()) == 2


class Answer(HumanResponseEvent):
    pass


class AskingTwice(Workflow):
    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        for _ in range(3):
            ctx.send_event(Part())
        return None

    @step(num_workers=1)
    async def ask(self, ctx: Context, ev: Part) -> Done:
        for _ in range(2):
            await ctx.wait_for_event(Answer, timeout=60)
        return Done()

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        return StopEvent() if ctx.collect_events(ev, [Done] * 3) else None


async def rerun_answered_at_once(workflow: Workflow) -> None:
    source = workflow.run()
    await until_true(lambda: len(own(source)) == 1 + 1 + 3)
    await source.cancel_run()
    rerun = workflow.run_from(checkpoint=own(source)[-1])
    for _ in range(6):
        rerun.send_event(Answer())
    await rerun


def test_steps_that_are_answered_in_a_rerun_while_they_queue_do_not_keep_a_worker() -> None:
    in_virtual_time(rerun_answered_at_once(AskingTwice()))


async def test_an_edit_keeps_what_others_write_meanwhile_though_its_step_reads_on() -> None:
    editing, written = asyncio.Event(), asyncio.Event()

    class Reading(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | Other:
            await ctx.set("log", [])
            ctx.send_event(Part())
            return Other()

        @step
        async def edit(self, ctx: Context, ev: Part) -> Done:
            async with ctx.store.edit_state() as state:
                editing.set()
                await until(written)
                assert await ctx.get("log") == ["written"]
                state.log = [*state.log, "edited"]
            return Done()

        @step
        async def write(self, ctx: Context, ev: Other) -> Done:
            await until(editing)
            await ctx.set("log", ["written"])
            written.set()
            return Done()

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            if ctx.collect_events(ev, [Done, Done]) is None:
                return None
            return StopEvent(result=await ctx.get("log"))

    assert await ended(Reading().run()) == ["written", "edited"]


async def test_all_copies_that_a_step_has_of_a_value_can_be_changed_in_place() -> None:
    read, written = asyncio.Event(), asyncio.Event()

    class Copies(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | Other:
            await ctx.set("log", [])
            ctx.send_event(Part())
            return Other()

        @step
        async def change(self, ctx: Context, ev: Part) -> Done:
            first = await ctx.get("log")
            read.set()
            await until(written)
            second = await ctx.get("log")
            first.append("first")
            second.append("second")
            assert await ctx.get("log") == ["written", "first", "second"]
            return Done()

        @step
        async def write(self, ctx: Context, ev: Other) -> Done:
            await until(read)
            await ctx.set("log", ["written"])
            written.set()
            return Done()

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            if ctx.collect_events(ev, [Done, Done]) is None:
                return None
            return StopEvent(result=await ctx.get("log"))

    assert await ended(Copies().run()) == ["written", "first", "second"]


async def test_a_step_keeps_no_copy_that_it_has_let_go_of() -> None:
    class Polling(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> StopEvent:
            held = []
            await ctx.set("log", [])
            for n in range(5):
                async with ctx.store.edit_state() as state:
                    state.log = [*state.log, n]
                await ctx.get("log")
                assert isinstance(ctx._behind, BehindStep)
                assert isinstance(ctx._behind.attempt, Attempt)
                held.append(len(ctx._behind.attempt.state._copies["log"]))
            return StopEvent(result=held)

    assert await ended(Polling().run()) == [1, 1, 1, 1, 1]
