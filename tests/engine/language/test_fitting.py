"""What fits: workflows that look odd, and must not be refused."""

import pytest

from cairn import (
    Context,
    Event,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    catch_error,
    step,
)
from tests.engine.flows.lists import Answer, Done, Group, Odd, Part, Question, Total
from tests.engine.tools.runs import completed, ended, own, rerun_everywhere, through_json


class Base(Workflow):
    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(2)]


class Sideline(Base):
    """A way that ends with nothing, beside one that ends the run."""

    @step
    async def work(self, ev: Part) -> Done | Odd:
        return Odd(n=1) if ev.n else Done(n=1)

    @step
    async def log(self, ev: Odd) -> None:
        return None

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=len(ev))


class Unions(Base):
    """A list of a union collects what several ways give."""

    @step
    async def work(self, ev: Part) -> Done | Odd:
        return Odd(n=1) if ev.n else Done(n=1)

    @step
    async def mend(self, ev: Odd) -> Total:
        return Total(n=ev.n)

    @step
    async def gather(self, ev: list[Done | Total]) -> StopEvent:
        return StopEvent(result=len(ev))


class CollectsACatch(Base):
    """What a handler gives for a failed member is collected with the others."""

    @step
    async def work(self, ev: Part) -> Done:
        if ev.n:
            raise ValueError
        return Done(n=1)

    @catch_error
    async def mend(self, ev: StepFailedEvent) -> Odd:
        return Odd(n=1)

    @step
    async def gather(self, ev: list[Done | Odd]) -> StopEvent:
        return StopEvent(result=len(ev))


class CollectsTwice(Base):
    """What a collecting step gives joins the outer batch, though it collects a list itself."""

    @step
    async def split(self, ev: Part) -> list[Done]:
        return [Done(n=ev.n)] * 2

    @step
    async def gather(self, ev: list[Done]) -> list[Odd]:
        return [Odd(n=e.n) for e in ev]

    @step
    async def gather_more(self, ev: list[Odd]) -> Total:
        return Total(n=len(ev))

    @step
    async def gather_all(self, ev: list[Total]) -> StopEvent:
        return StopEvent(result=sum(e.n for e in ev) - 2)


class JoinsCollected(Base):
    """What is collected meets, outside of the batch, what was never in it."""

    @step
    async def beside(self, ev: StartEvent) -> Odd:
        return Odd(n=0)

    @step
    async def gather(self, ev: list[Part]) -> Total:
        return Total(n=len(ev))

    @step
    async def join(self, total: Total, odd: Odd) -> StopEvent:
        return StopEvent(result=total.n)


class JoinsInsideOrOutside(Base):
    """The same join, for members of a batch and for what comes after it."""

    @step
    async def left(self, ev: Part | Group) -> Done:
        return Done(n=ev.n)

    @step
    async def right(self, ev: Part | Group) -> Odd:
        return Odd(n=ev.n)

    @step
    async def join(self, done: Done, odd: Odd) -> Total | StopEvent:
        return StopEvent(result=2) if done.n == 9 else Total(n=done.n)

    @step
    async def gather(self, ev: list[Total]) -> Group:
        return Group(n=9)


class EndsByAsking(Base):
    """A way that ends with a question; the answer's way ends the run."""

    @step
    async def ask(self, ev: list[Part]) -> Question:
        return Question(n=len(ev))

    @step
    async def hear(self, ev: Answer) -> StopEvent:
        return StopEvent(result=ev.n)


class Recursive(Workflow):
    """A list whose members make lists of the same type."""

    @step
    async def begin(self, ev: StartEvent) -> Group:
        return Group(n=4)

    @step
    async def split(self, ev: Group) -> list[Group | Part]:
        return [Part(n=1)] if ev.n == 1 else [Group(n=ev.n // 2), Group(n=ev.n // 2)]

    @step
    async def gather(self, ctx: Context, ev: list[Part | Total]) -> Total:
        return Total(n=sum(e.n for e in ev))

    @step
    async def end(self, ev: Total) -> StopEvent | None:
        return StopEvent(result=2) if ev.n == 4 else None


FITTING: list[tuple[type[Workflow], tuple[Event, ...]]] = [
    (Sideline, ()),
    (Unions, ()),
    (CollectsACatch, ()),
    (CollectsTwice, ()),
    (JoinsCollected, ()),
    (JoinsInsideOrOutside, ()),
    (EndsByAsking, (Answer(n=2),)),
    (Recursive, ()),
]


@pytest.mark.parametrize(("cls", "answers"), FITTING, ids=[cls.__name__ for cls, _ in FITTING])
async def test_what_fits_is_not_refused_and_runs_exactly(
    cls: type[Workflow], answers: tuple[Event, ...]
) -> None:
    workflow = cls()
    handler = workflow.run()
    for answer in answers:
        handler.send_event(answer)
    result = await ended(handler)
    assert result == (1 if cls is Sideline else 2)
    await rerun_everywhere(workflow, handler, *answers, carried=through_json)


async def test_a_handler_leads_to_what_only_it_gives() -> None:
    class Rescue(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> StopEvent:
            raise ValueError

        @catch_error
        async def mend(self, ev: StepFailedEvent) -> Part:
            return Part(n=1)

        @step
        async def rescue(self, ev: Part) -> StopEvent:
            return StopEvent(result="rescued")

    handler = Rescue().run()
    assert await ended(handler) == "rescued"
    assert completed(own(handler)) == {"mend": 1, "rescue": 1}
