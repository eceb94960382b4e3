"""Joins: a step with several event parameters starts once one of each has come."""

from typing import Any

import pytest

from cairn import (
    Context,
    Event,
    EventBatch,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    step,
)
from tests.engine.flows.lists import Done, Group, Odd, Part, Total, Word, turns
from tests.engine.tools.runs import (
    completed,
    ended,
    own,
    rerun_everywhere,
    through_json,
    until_true,
)


class Triple(Workflow):
    """Three events that come of three steps, the first one last."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part:
        return Part(n=1)

    @step
    async def one(self, ev: Part) -> Done:
        await turns(20)
        return Done(n=ev.n)

    @step
    async def two(self, ctx: Context, ev: Part) -> Odd:
        await ctx.set("two", True)
        return Odd(n=ev.n + 1)

    @step
    async def three(self, ev: Part) -> Total:
        await turns(10)
        return Total(n=ev.n + 2)

    @step
    async def join(self, ctx: Context, third: Total, first: Done, second: Odd) -> StopEvent:
        return StopEvent(result=(first.n, second.n, third.n, await ctx.get("two")))


class Streams(Workflow):
    """Pairs what two steps send, as far as it goes."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        for n in range(3):
            ctx.send_event(Part(n=n))
        return None

    @step
    async def left(self, ctx: Context, ev: Part) -> Done | None:
        for i in range(2):
            ctx.send_event(Done(n=10 * ev.n + i))
        return None

    @step
    async def right(self, ctx: Context, ev: Part) -> Odd:
        await turns(20 * ev.n)
        return Odd(n=ev.n)

    @step
    async def pair(self, ctx: Context, done: Done, odd: Odd) -> Total:
        return Total(n=100 * odd.n + done.n)

    @step
    async def end(self, ctx: Context, ev: Total) -> StopEvent | None:
        totals = ctx.collect_events(ev, [Total] * 3)
        return None if totals is None else StopEvent(result=[t.get("n") for t in totals])


class Twins(Workflow):
    """Two parameters of the same type."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        for n in range(4):
            ctx.send_event(Part(n=n))
        return None

    @step
    async def pair(self, a: Part, b: Part) -> Total:
        return Total(n=10 * a.n + b.n)

    @step
    async def both(self, a: Total, b: Total) -> StopEvent:
        return StopEvent(result=(a.n, b.n))


class Consent(HumanResponseEvent):
    word: str


class Ask(InputRequiredEvent):
    pass


class Consenting(Workflow):
    """Joins what a step made with what a person answers."""

    @step
    async def begin(self, ev: StartEvent) -> Part:
        return Part(n=1)

    @step
    async def work(self, ctx: Context, ev: Part) -> Done | Ask:
        ctx.send_event(Ask())
        return Done(n=ev.n)

    @step
    async def join(self, done: Done, consent: Consent) -> StopEvent:
        return StopEvent(result=(done.n, consent.word))


class WithTheStart(Workflow):
    """Joins the event that began the run with what came of it."""

    @step
    async def begin(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step
    async def gather(self, ev: list[Part]) -> Total:
        return Total(n=len(ev))

    @step
    async def join(self, start: StartEvent, total: Total) -> StopEvent:
        return StopEvent(result=(start.topic, total.n))


class Joined(Event):
    words: list[str]


class JoinThenJoin(Workflow):
    """What a join gives is joined; each batch by itself, and what is left over goes."""

    @step
    async def begin(self, ev: StartEvent) -> list[Group]:
        return [Group(n=n) for n in range(2)]

    @step
    async def split(self, ev: Group) -> list[Part | Odd | Done]:
        n = 10 * ev.n
        return [Part(n=n), Part(n=n + 1), Odd(n=n + 2), Done(n=n + 3), Done(n=n + 4)]

    @step
    async def first(self, part: Part, odd: Odd) -> Word:
        await turns(20 - odd.n)
        return Word(word=f"{part.n}+{odd.n}")

    @step
    async def second(self, word: Word, done: Done) -> Total:
        return Total(word=f"{word.word}+{done.n}", n=0)

    @step
    async def gather(self, ev: list[Total]) -> Joined:
        return Joined(words=[e.word for e in ev])

    @step
    async def gather_all(self, ev: list[Joined]) -> StopEvent:
        return StopEvent(result=[e.words for e in ev])


JOINS: list[tuple[type[Workflow], Any, tuple[Event, ...]]] = [
    (Triple, (1, 2, 3, True), ()),
    (Streams, [0, 101, 210], ()),
    (Twins, (1, 23), ()),
    (Consenting, (1, "yes"), (Consent(word="yes"),)),
]


@pytest.mark.parametrize(("cls", "result", "answers"), JOINS, ids=[c.__name__ for c, _, _ in JOINS])
async def test_events_are_joined_and_every_rerun_joins_them_alike(
    cls: type[Workflow], result: Any, answers: tuple[Event, ...]
) -> None:
    workflow = cls()
    handler = workflow.run()
    for answer in answers:
        handler.send_event(answer)
    assert await ended(handler) == result
    await rerun_everywhere(workflow, handler, *answers)
    await rerun_everywhere(workflow, handler, *answers, carried=through_json)


async def test_the_start_event_can_be_joined_with_what_comes_of_it() -> None:
    workflow = WithTheStart()
    handler = workflow.run(topic="cairns")
    assert await ended(handler) == ("cairns", 3)
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_an_answer_that_comes_late_completes_the_join_of_a_checkpoint() -> None:
    workflow = Consenting()
    handler = workflow.run()
    await until_true(lambda: completed(own(handler))["work"] == 1)
    checkpoint = through_json(workflow, own(handler)[-1])
    for word in ("yes", "no"):
        rerun = workflow.run_from(checkpoint=checkpoint)
        rerun.send_event(Consent(word=word))
        assert await ended(rerun) == (1, word)
    handler.send_event(Consent(word="maybe"))
    assert await ended(handler) == (1, "maybe")


async def test_a_join_takes_one_batch_of_its_parameters() -> None:
    handler = Triple().run()
    await ended(handler)
    (checkpoint,) = (c for c in own(handler) if c.last_completed_step == "join")
    taken = checkpoint.input_event
    assert isinstance(taken, EventBatch)
    assert [type(event) for event in taken.events] == [Total, Done, Odd]


async def test_a_step_that_joins_can_be_sent_one_of_its_events() -> None:
    class Sends(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | Done | None:
            ctx.send_event(Part(n=1), step="join")
            ctx.send_event(Done(n=2), step="join")
            return None

        @step
        async def other(self, ctx: Context, ev: Part | Done) -> None:
            await ctx.set("other", True)

        @step
        async def join(self, part: Part, done: Done) -> StopEvent:
            return StopEvent(result=(part.n, done.n))

    workflow = Sends()
    handler = workflow.run()
    assert await ended(handler) == (1, 2)
    assert completed(own(handler)) == {"begin": 1, "join": 1}
    await rerun_everywhere(workflow, handler)


async def test_a_step_that_joins_cannot_be_sent_what_it_does_not_take() -> None:
    class Sends(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part | Done:
            ctx.send_event(Word(word="x"), step="join")
            return Part(n=1)

        @step
        async def join(self, part: Part, done: Done) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowRuntimeError, match="'join' does not take Word"):
        await ended(Sends().run())


async def test_what_is_left_over_in_one_batch_is_not_joined_in_the_next() -> None:
    workflow = JoinThenJoin()
    handler = workflow.run()
    assert await ended(handler) == [["0+2+3"], ["10+12+13"]]
    assert completed(own(handler)) == {
        "begin": 1, "split": 2, "first": 2, "second": 2, "gather": 2, "gather_all": 1
    }  # fmt: skip
    await rerun_everywhere(workflow, handler, carried=through_json)


async def test_what_waits_to_be_joined_outside_of_all_batches_is_kept_until_the_end() -> None:
    handler = Streams().run()
    await ended(handler)
    assert len(own(handler)[-2].snapshot.gathered) == 3
    assert not own(handler)[-1].snapshot.gathered
