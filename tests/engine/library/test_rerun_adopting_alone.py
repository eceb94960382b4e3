"""What an adopting rerun takes over is its steps' own, and nothing is there twice or lost."""

import asyncio
from typing import Any

import pytest

from cairn import (
    Context,
    Event,
    StepFailedEvent,
    StopEvent,
    catch_error,
    step,
)
from tests.engine.flows.asking import Answer, Question
from tests.engine.flows.in_flight import Beside, Slow, amid, numbers
from tests.engine.flows.sending import Done, Part, Scatter
from tests.engine.tools.runs import ended, own, shown, state, until, until_true


class Pair(Event):
    first: int
    second: int


class GatheringThree(Beside):
    begins = (Part(n=0), Part(n=1), Part(n=2))

    @step
    async def gather(self, ctx: Context, ev: Part) -> StopEvent | None:
        self.executed["gather"] += 1
        await until(self.opened)
        parts = ctx.collect_events(ev, [Part] * 3)
        return None if parts is None else StopEvent(result=numbers(parts))


async def test_a_step_that_has_collected_what_it_put_by_last_is_adopted() -> None:
    workflow = GatheringThree()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2]
    rerun = workflow.run_from(amid(source), in_flight="adopt")
    assert await ended(rerun) == [0, 1, 2]
    assert workflow.executed["gather"] == 3


class TakenAtOnce(Beside):
    """What one step has put by, another takes at once, before any other step completes."""

    begins = (Part(n=0), Part(n=1))

    def __init__(self) -> None:
        super().__init__()
        self.put_by, self.paired = asyncio.Event(), asyncio.Event()

    @step
    async def pair(self, ctx: Context, ev: Part) -> Pair | None:
        await until(self.opened if ev.n == 0 else self.put_by)
        pair = ctx.collect_events(ev, [Part, Part])
        if ev.n == 0:
            self.put_by.set()
            await until(self.paired)
        return None if pair is None else Pair(first=pair[0].get("n"), second=pair[1].get("n"))

    @step
    async def end(self, ctx: Context, ev: Pair) -> Done:
        self.paired.set()
        return Done(n=ev.second)

    @step
    async def last(self, ev: Done) -> StopEvent:
        return StopEvent(result=ev.n)


async def test_what_an_adopted_step_has_put_by_and_another_has_taken_at_once_is_not_lost() -> None:
    workflow = TakenAtOnce()
    source = workflow.run()
    assert await ended(source) == 1
    assert [c.input_event for c in own(source) if c.last_completed_step == "pair"] == [
        Part(n=1),
        Part(n=0),
    ]
    assert await ended(workflow.run_from(amid(source), in_flight="adopt")) == 1


class PairingWhileOneFails(Beside):
    """The first part is put by, and taken by the second's step; then the first's own step fails."""

    begins = (Part(n=0), Part(n=1), Slow(n=1))

    def __init__(self) -> None:
        super().__init__()
        self.put_by, self.taken, self.noted = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.paired = asyncio.Event()
        self.mended = False

    @step
    async def slow(self, ev: Slow) -> Done:
        await until(self.taken)
        return Done(n=1)

    @step
    async def note(self, ev: Done) -> None:
        self.noted.set()

    @step
    async def pair(self, ctx: Context, ev: Part) -> Pair | None:
        await until(self.opened if ev.n == 0 else self.put_by)
        pair = ctx.collect_events(ev, [Part, Part])
        if ev.n == 0:
            self.put_by.set()
            await until(self.paired)
            if not self.mended:
                raise ValueError("not yet")
        if ev.n == 1:
            self.taken.set()
            await until(self.noted)
        return None if pair is None else Pair(first=pair[0].get("n"), second=pair[1].get("n"))

    @step
    async def gather(self, ctx: Context, ev: Pair) -> StopEvent | None:
        pairs = await ctx.get("pairs", default=[])
        await ctx.set("pairs", [*pairs, (ev.first, ev.second)])
        self.paired.set()
        return StopEvent(result=[*pairs, (ev.first, ev.second)]) if pairs else None


@pytest.mark.parametrize("in_flight", ["rerun", "adopt"])
async def test_what_an_adopted_step_has_taken_is_not_put_by_again(in_flight: Any) -> None:
    workflow = PairingWhileOneFails()
    source = workflow.run()
    with pytest.raises(ValueError, match="not yet"):
        await ended(source)
    workflow.mended = True
    checkpoint = amid(source) if in_flight == "adopt" else own(source)[-1]
    rerun = workflow.run_from(checkpoint, in_flight=in_flight)
    await until_true(lambda: "pairs" in state(own(rerun)[-1]) if own(rerun) else False)
    await until_true(lambda: not any(d.step == "pair" for d in (own(rerun)[-1].snapshot.pending())))
    rerun.send_event(Part(n=2))
    rerun.send_event(Part(n=3))
    assert await ended(rerun) == [(0, 1), (2, 3)]


class FailingWithAPair(Beside):
    """A step fails that had collected a pair; of it, what another step had put by is back."""

    begins = (Part(n=0), Part(n=1))

    def __init__(self) -> None:
        super().__init__()
        self.held.clear()

    @step
    async def pair(self, ctx: Context, ev: Part) -> StopEvent | None:
        pair = ctx.collect_events(ev, [Part, Part])
        if pair is None:
            return None
        if ev.n == 1:
            self.held.set()
            await until(self.opened)
            raise ValueError("a pair is lost")
        return StopEvent(result=numbers(pair))

    @catch_error
    async def again(self, ev: StepFailedEvent) -> Part:
        return Part(n=2)


async def test_what_a_step_had_collected_is_back_where_its_caught_failure_is_adopted() -> None:
    workflow = FailingWithAPair()
    source = workflow.run()
    assert await ended(source) == [0, 2]
    rerun = workflow.run_from(amid(source), in_flight="adopt")
    assert await ended(rerun) == [0, 2]


async def test_what_a_dropped_step_had_collected_is_back() -> None:
    workflow = FailingWithAPair()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(amid(source), in_flight="drop")
    rerun.send_event(Part(n=3))
    assert await ended(rerun) == [0, 3]


class PuttingBy(Beside):
    """A step has put its event by, and is still under way."""

    begins = (Part(n=0),)

    def __init__(self) -> None:
        super().__init__()
        self.held.clear()

    @step
    async def pair(self, ctx: Context, ev: Part) -> StopEvent | None:
        pair = ctx.collect_events(ev, [Part, Part])
        self.held.set()
        await until(self.opened)
        return None if pair is None else StopEvent(result=numbers(pair))


async def test_what_a_dropped_step_had_put_by_is_gone() -> None:
    workflow = PuttingBy()
    source = workflow.run()
    await until_true(lambda: any(c.last_completed_step == "pair" for c in own(source)))
    rerun = workflow.run_from(amid(source), in_flight="drop")
    rerun.send_event(Part(n=1))
    rerun.send_event(Part(n=2))
    assert await ended(rerun) == [1, 2]
    await source.cancel_run()


class SendingAskingFailing(Beside):
    """A step sends, waits and then fails; what it sent has gone out as it began to wait."""

    begins = (Slow(n=1),)

    @step
    async def ask(self, ctx: Context, ev: Slow) -> Part:
        await until(self.opened)
        ctx.send_event(Part(n=0))
        await ctx.wait_for_event(Answer, waiter_event=Question())
        raise ValueError("no answer is good enough")

    @catch_error
    async def instead(self, ev: StepFailedEvent) -> Part:
        return Part(n=1)

    @step
    async def gather(self, ctx: Context, ev: Part) -> StopEvent | None:
        parts = ctx.collect_events(ev, [Part] * 2)
        return None if parts is None else StopEvent(result=numbers(parts))


async def test_what_went_out_as_a_step_began_to_wait_goes_out_where_its_failure_is_adopted() -> (
    None
):
    workflow = SendingAskingFailing()
    source = workflow.run()
    await shown(source, Question)
    source.send_event(Answer(word="yes"))
    assert await ended(source) == [0, 1]
    rerun = workflow.run_from(amid(source), in_flight="adopt")
    assert await ended(rerun) == [0, 1]


class Hearing(Beside):
    """Two steps hear two answers, one after the other."""

    begins = (Slow(n=1),)

    @step
    async def first(self, ctx: Context, ev: Slow) -> Done:
        await until(self.opened)
        answer = await ctx.wait_for_event(Answer)
        await ctx.set("first", answer.word)
        return Done(n=1)

    @step
    async def second(self, ctx: Context, ev: Done) -> StopEvent:
        answer = await ctx.wait_for_event(Answer, waiter_event=Question())
        return StopEvent(result=(await ctx.get("first"), answer.word))


async def test_the_answer_of_an_adopted_step_which_had_come_before_it_answers_no_other() -> None:
    workflow = Hearing()
    source = workflow.run()
    source.send_event(Answer(word="a"))
    await shown(source, Question)
    source.send_event(Answer(word="b"))
    assert await ended(source) == ("a", "b")
    rerun = workflow.run_from(amid(source), in_flight="adopt")
    await shown(rerun, Question)
    rerun.send_event(Answer(word="b"))
    assert await ended(rerun) == ("a", "b")


class Told(Event):
    n: int


class HearingSteps(Beside):
    """Two steps wait for what other steps send, one after the other."""

    begins = (Slow(n=1), Part(n=1))

    @step
    async def first(self, ctx: Context, ev: Slow) -> Done:
        told = await ctx.wait_for_event(Told)
        return Done(n=told.n)

    @step
    async def tell(self, ev: Part) -> Scatter:
        return Scatter()

    @step
    async def told(self, ev: Scatter) -> Told:
        return Told(n=1)

    @step
    async def second(self, ctx: Context, ev: Done) -> StopEvent:
        told = await ctx.wait_for_event(Told, waiter_event=Question())
        return StopEvent(result=(ev.n, told.n))


async def test_what_had_answered_an_adopted_step_answers_no_other_when_it_is_sent_again() -> None:
    workflow = HearingSteps()
    source = workflow.run()
    await shown(source, Question)
    source.send_event(Told(n=2))
    assert await ended(source) == (1, 2)
    before = next(c for c in own(source) if c.last_completed_step == "tell")
    rerun = workflow.run_from(before, in_flight="adopt")
    await shown(rerun, Question)
    rerun.send_event(Told(n=2))
    assert await ended(rerun) == (1, 2)
