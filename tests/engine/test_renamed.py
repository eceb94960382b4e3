"""A step that is called otherwise in later code takes over all that a run holds for it."""

from typing import Any

import pytest

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
from tests.engine.tools.runs import ended, own, through_json


class Left(Event):
    pass


class Right(Event):
    n: int


class Part(Event):
    n: int


class Joined(Workflow):
    """Waits with one parameter's event for the other's."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Left | Part:
        ctx.send_event(Left())
        return Part(n=1)

    @step(num_workers=1)
    async def work(self, ev: Part) -> Right:
        return Right(n=ev.n)

    @step
    async def merge(self, left: Left, right: Right) -> StopEvent:
        return StopEvent(result=right.n)


class JoinedLater(Workflow):
    __qualname__ = "Joined"  # as in a file that has changed

    @step(was="begin")
    async def open(self, ctx: Context, ev: StartEvent) -> Left | Part:
        ctx.send_event(Left())
        return Part(n=1)

    @step(num_workers=1, was=["toil", "work"])
    async def labour(self, ev: Part) -> Right:
        return Right(n=ev.n)

    @step(was="merge")
    async def join(self, left: Left, right: Right) -> StopEvent:
        return StopEvent(result=right.n)


class Listed(Workflow):
    """Works on a list, and gathers what comes of it."""

    @step
    async def split(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step(num_workers=1)
    async def work(self, ev: Part) -> Right:
        return Right(n=ev.n)

    @step
    async def gather(self, ev: list[Right]) -> StopEvent:
        return StopEvent(result=[each.n for each in ev])


class ListedLater(Workflow):
    __qualname__ = "Listed"  # as in a file that has changed

    @step(was="split")
    async def cut(self, ev: StartEvent) -> list[Part]:
        return [Part(n=n) for n in range(3)]

    @step(num_workers=1, was="work")
    async def labour(self, ev: Part) -> Right:
        return Right(n=ev.n)

    @step(was="gather")
    async def reap(self, ev: list[Right]) -> StopEvent:
        return StopEvent(result=[each.n for each in ev])


class Collected(Workflow):
    """Collects events one by one."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        for n in range(3):
            ctx.send_event(Part(n=n))
        return None

    @step(num_workers=1)
    async def collect(self, ctx: Context, ev: Part) -> StopEvent | None:
        found = ctx.collect_events(ev, [Part] * 3)
        return None if found is None else StopEvent(result=[each.get("n") for each in found])


class CollectedLater(Workflow):
    __qualname__ = "Collected"  # as in a file that has changed

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        for n in range(3):
            ctx.send_event(Part(n=n))
        return None

    @step(num_workers=1, was="collect")
    async def pick(self, ctx: Context, ev: Part) -> StopEvent | None:
        found = ctx.collect_events(ev, [Part] * 3)
        return None if found is None else StopEvent(result=[each.get("n") for each in found])


class NotNamed(Workflow):
    """As `Joined`, with a step called otherwise, of which nothing is said."""

    __qualname__ = "Joined"

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Left | Part:
        ctx.send_event(Left())
        return Part(n=1)

    @step
    async def labour(self, ev: Part) -> Right:
        return Right(n=ev.n)

    @step
    async def merge(self, left: Left, right: Right) -> StopEvent:
        return StopEvent(result=right.n)


@pytest.mark.parametrize(
    ("before", "after"),
    [(Joined, JoinedLater), (Listed, ListedLater), (Collected, CollectedLater)],
    ids=["joined", "listed", "collected"],
)
async def test_from_every_checkpoint_the_renamed_steps_come_to_the_same(
    before: type[Workflow], after: type[Workflow]
) -> None:
    source = before().run()
    result: Any = await ended(source)
    checkpoints = own(source)[:-1]
    assert len(checkpoints) >= 3
    for checkpoint in checkpoints:
        for each in (checkpoint, through_json(before(), checkpoint)):
            assert await ended(after().run_from(each)) == result


async def test_a_step_that_is_gone_is_named_with_those_that_there_are() -> None:
    source = Joined().run()
    await source
    words = r"'work'.*Its steps are: begin, labour, merge.*@step\(was='work'\)"
    with pytest.raises(WorkflowRuntimeError, match=words):
        await ended(NotNamed().run_from(own(source)[1]))


@pytest.mark.parametrize(
    ("was", "words"),
    [("begin", "there is a step 'begin' still"), ("other", "several steps were 'other'")],
)
def test_a_name_that_a_step_cannot_have_had_is_refused(was: str, words: str) -> None:
    class Wrong(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=1)

        @step(was="other")
        async def middle(self, ev: Part) -> Right:
            return Right(n=1)

        @step(was=was)
        async def end(self, ev: Right) -> StopEvent:
            return StopEvent()

    with pytest.raises(WorkflowValidationError, match=words):
        Wrong().validate()
