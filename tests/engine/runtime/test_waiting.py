"""Steps that wait: for a person, or for an event that another step sends."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from cairn import (
    Context,
    Event,
    HumanResponseEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.asking import Answer, Asking, Question
from tests.engine.flows.sending import Left, Part
from tests.engine.tools.runs import completed, ended, own, rerun_everywhere, shown, state, waiting


async def test_a_step_that_begins_to_wait_leaves_a_checkpoint() -> None:
    handler = Asking().run()
    checkpoint = await waiting(handler)
    assert checkpoint.last_completed_step is None
    assert "ask" not in completed(own(handler))
    handler.send_event(Answer(word="yes"))
    await ended(handler)
    assert completed(own(handler)) == {"ask": 1, "work": 3, "gather": 3}


async def test_a_waiting_step_goes_on_where_it_stood() -> None:
    class Counts(Workflow):
        begun = 0

        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            Counts.begun += 1
            local = ["kept in memory"]
            answer = await ctx.wait_for_event(Answer, waiter_event=Question())
            return StopEvent(result=(local, answer.word))

    handler = Counts().run()
    await shown(handler, Question)
    handler.send_event(Answer(word="yes"))
    assert await ended(handler) == (["kept in memory"], "yes")
    assert Counts.begun == 1


async def test_what_a_waiting_step_has_written_is_kept_only_when_it_completes() -> None:
    class Writes(Workflow):
        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.set("count", await ctx.get("count", default=0) + 1)
            await ctx.wait_for_event(Answer, waiter_event=Question())
            return StopEvent(result=await ctx.get("count"))

    workflow = Writes()
    source = workflow.run()
    assert state(await waiting(source)) == {}
    source.send_event(Answer(word="yes"))
    assert await ended(source) == 1
    await rerun_everywhere(workflow, source, Answer(word="yes"))


class Picky(Workflow):
    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
        answer = await ctx.wait_for_event(
            Answer, waiter_event=Question(), requirements={"user": "ada", "n": 2}
        )
        return StopEvent(result=answer.word)


async def test_only_an_event_that_meets_the_requirements_is_the_answer() -> None:
    workflow = Picky()
    source = workflow.run()
    await shown(source, Question)
    for word, fields in (
        ("other user", {"user": "bob", "n": 2}),
        ("other number", {"user": "ada", "n": 1}),
        ("no number", {"user": "ada"}),
        ("right", {"user": "ada", "n": 2, "more": True}),
        ("late", {"user": "ada", "n": 2}),
    ):
        source.send_event(Answer(word=word, **fields))
    assert await ended(source) == "right"
    for checkpoint in own(source)[1:-1]:
        rerun = workflow.run_from(checkpoint=checkpoint)
        rerun.send_event(Answer(word="right", user="ada", n=2))
        assert await ended(rerun) == "right"


async def test_an_event_of_another_type_is_no_answer() -> None:
    class More(Answer):
        pass

    class Exact(Workflow):
        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            found = await ctx.wait_for_event(Answer, waiter_event=Question())
            return StopEvent(result=found.word)

        @step
        async def take(self, ev: More | HumanResponseEvent) -> None:
            return None

    handler = Exact().run()
    await shown(handler, Question)
    handler.send_event(HumanResponseEvent(word="another"))
    handler.send_event(More(word="more"))
    handler.send_event(Answer(word="right"))
    assert await ended(handler) == "right"


class Impatient(Workflow):
    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
        await ctx.set("asked", True)
        try:
            found = await ctx.wait_for_event(Answer, waiter_event=Question(), timeout=0.01)
        except TimeoutError:
            return StopEvent(result=("nobody came", await ctx.get("asked")))
        return StopEvent(result=(found.word, await ctx.get("asked")))


async def test_a_wait_that_takes_too_long_is_a_timeout_error_in_the_step() -> None:
    assert await ended(Impatient().run()) == ("nobody came", True)


async def test_a_wait_that_took_too_long_may_be_answered_in_a_rerun() -> None:
    workflow = Impatient()
    source = workflow.run()
    await ended(source)
    *before, too_late, _ = own(source)
    assert len(before) == 2
    for checkpoint in before:
        rerun = workflow.run_from(checkpoint=checkpoint)
        rerun.send_event(Answer(word="in time"))
        assert await ended(rerun) == ("in time", True)
    rerun = workflow.run_from(checkpoint=too_late)
    rerun.send_event(Answer(word="in time"))
    assert await ended(rerun) == source.result()


async def test_a_wait_that_took_too_long_unhandled_fails_the_run() -> None:
    class Unhandled(Workflow):
        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            await ctx.wait_for_event(Answer, timeout=0.01)
            return StopEvent()

    with pytest.raises(TimeoutError):
        await ended(Unhandled().run())


class InTurn(Workflow):
    """Two waits of one step, one after the other, on equal terms."""

    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
        first = await ctx.wait_for_event(Answer, waiter_event=Question(n=1), waiter_id="first")
        second = await ctx.wait_for_event(Answer, waiter_event=Question(n=2), waiter_id="second")
        return StopEvent(result=[first.word, second.word])


async def answer_in_turn(handler: Any) -> None:
    async with asyncio.timeout(10):
        async for event in handler.stream_events():
            if isinstance(event, Question):
                handler.send_event(Answer(word=f"answer {event.get('n')}"))


async def test_two_waits_of_one_step_are_answered_in_turn() -> None:
    workflow = InTurn()
    source = workflow.run()
    await answer_in_turn(source)
    assert await ended(source) == ["answer 1", "answer 2"]


async def test_two_waits_of_one_step_for_the_same_need_no_names() -> None:
    class Nameless(Workflow):
        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            first = await ctx.wait_for_event(Answer)
            second = await ctx.wait_for_event(Answer)
            return StopEvent(result=[first.word, second.word])

    workflow = Nameless()
    source = workflow.run()
    source.send_event(Answer(word="one"))
    source.send_event(Answer(word="two"))
    assert await ended(source) == ["one", "two"]
    await rerun_everywhere(workflow, source, Answer(word="one"), Answer(word="two"))


async def test_a_rerun_between_two_waits_asks_only_for_the_second() -> None:
    workflow = InTurn()
    source = workflow.run()
    await answer_in_turn(source)
    between = next(c for c in own(source) if c.output_event == Question(n=2))
    rerun = workflow.run_from(checkpoint=between)
    rerun.send_event(Answer(word="again"))
    assert await ended(rerun) == ["answer 1", "again"]


async def test_two_waits_at_once_each_have_their_own_answer() -> None:
    class AtOnce(Workflow):
        @step
        async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
            found = await asyncio.gather(
                *(
                    ctx.wait_for_event(Answer, waiter_event=Question(n=n), requirements={"n": n})
                    for n in (1, 2)
                )
            )
            return StopEvent(result=[answer.word for answer in found])

    workflow = AtOnce()
    source = workflow.run()
    source.send_event(Answer(word="two", n=2))
    source.send_event(Answer(word="one", n=1))
    assert await ended(source) == ["one", "two"]


async def test_waits_of_several_events_of_one_step_are_apart() -> None:
    class Each(Workflow):
        @step
        async def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
            for n in range(3):
                ctx.send_event(Part(n=n))
            return None

        @step(num_workers=1)  # who waits keeps nobody from working
        async def ask(self, ctx: Context, ev: Part) -> Answer | None:
            await ctx.wait_for_event(
                HumanResponseEvent, waiter_event=Question(n=ev.n), requirements={"n": ev.n}
            )
            return Answer(word=str(ev.n))

        @step
        async def gather(self, ctx: Context, ev: Answer) -> StopEvent | None:
            all_three = ctx.collect_events(ev, [Answer] * 3)
            if all_three is None:
                return None
            return StopEvent(result=[a.get("word") for a in all_three])

    handler = Each().run()
    async with asyncio.timeout(10):
        asked: list[Event] = []
        async for event in handler.stream_events():
            asked.append(event)
            if len(asked) == 3:
                break
    for n in (2, 0, 1):
        handler.send_event(HumanResponseEvent(n=n))
    assert sorted(await ended(handler)) == ["0", "1", "2"]


class OneAtATime(Workflow):
    """Of two events for one worker, the first waits in vain while the second is worked on."""

    def __init__(self) -> None:
        super().__init__()
        self.at_work = self.most = 0

    @step
    async def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
        ctx.send_event(Part(n=0))
        ctx.send_event(Part(n=1))
        return None

    @step(num_workers=1)
    async def work(self, ctx: Context, ev: Part) -> Left:
        if ev.n == 0:
            with suppress(TimeoutError):
                await ctx.wait_for_event(Answer, timeout=0.01)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.1 if ev.n else 0):
                await asyncio.Event().wait()
        self.at_work -= 1
        return Left(n=ev.n)

    @step
    async def gather(self, ctx: Context, ev: Left) -> StopEvent | None:
        return StopEvent() if ctx.collect_events(ev, [Left, Left]) else None


async def test_whose_wait_took_too_long_goes_on_when_a_worker_is_free() -> None:
    workflow = OneAtATime()
    await ended(workflow.run())
    assert workflow.most == 1


async def test_a_step_may_wait_for_what_another_step_sends() -> None:
    class Partners(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> StopEvent | Part:
            ctx.send_event(Part(n=1))
            found = await ctx.wait_for_event(Answer)
            return StopEvent(result=found.word)

        @step
        async def reply(self, ctx: Context, ev: Part) -> Answer:
            return Answer(word=f"for {ev.n}")

    class Senders(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> StopEvent | Part:
            ctx.send_event(Part(n=1))
            found = await ctx.wait_for_event(Left)
            return StopEvent(result=f"for {found.n}")

        @step
        async def reply(self, ctx: Context, ev: Part) -> None:
            ctx.send_event(Left(n=ev.n))

    for workflow in (Partners(), Senders()):
        source = workflow.run()
        assert await ended(source) == "for 1"
        await rerun_everywhere(workflow, source)
