"""Drawings of runs with lists and joins of events, with caught failures, and of reruns."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

import pytest

from cairn import (
    Collect,
    Context,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Take,
    Workflow,
    catch_error,
    step,
)
from cairn.engine.drawing import Picture, most_recent_execution
from cairn.engine.drawing.picture import Node
from tests.engine.flows.sending import Done, Left, Number, Part, Right, SlowFanOut
from tests.engine.tools.runs import ended, own, until
from tests.engine.tools.svg_reader import shown_in


class Halves(Workflow):
    """Each of a list's events is worked on by two steps, joined, and all of it is collected."""

    @step
    async def split(self, ev: Number) -> list[Part]:
        return [Part(n=n) for n in range(ev.n)]

    @step
    async def left(self, ev: Part) -> Left:
        return Left(n=ev.n)

    @step
    async def right(self, ev: Part) -> Right:
        return Right(n=ev.n)

    @step
    async def join(self, one: Left, other: Right) -> Done:
        return Done(n=one.n)

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=[done.n for done in ev])


class Direct(Workflow):
    """A list that is collected at once, of which only so many are wanted."""

    @step
    async def split(self, ev: Number) -> list[Part]:
        return [Part(n=n) for n in range(ev.n)]

    @step
    async def gather(self, ev: Annotated[list[Part], Collect(Take(2))]) -> StopEvent:
        return StopEvent(result=[part.n for part in ev])


class Pairs(Workflow):
    """Two parameters of one type, and all that they take is sent by one step."""

    @step
    async def scatter(self, ctx: Context, ev: Number) -> Part | None:
        for n in range(ev.n):
            ctx.send_event(Part(n=n))
        return None

    @step
    async def pair(self, one: Part, other: Part) -> Done:
        return Done(n=one.n)

    @step
    async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
        done = ctx.collect_events(ev, [Done, Done])
        return None if done is None else StopEvent()


class Rough(Workflow):
    """One of a list's events is too much for the step that works on it."""

    @step
    async def split(self, ev: Number) -> list[Part]:
        return [Part(n=n) for n in range(ev.n)]

    @step
    async def work(self, ev: Part) -> Done:
        return Done(n=6 // ev.n)

    @catch_error(for_steps=["work"])
    async def mend(self, ev: StepFailedEvent) -> Done:
        return Done(n=0)

    @step
    async def gather(self, ev: list[Done]) -> StopEvent:
        return StopEvent(result=[done.n for done in ev])


class Parting(Workflow):
    """Sends on with the event that ends the run."""

    @step
    async def end(self, ctx: Context, ev: StartEvent) -> Part | StopEvent:
        ctx.send_event(Part(n=1))
        ctx.send_event(StopEvent())
        return Part(n=2)

    @step
    async def never(self, ev: Part) -> StopEvent:
        return StopEvent()


class Late(Workflow):
    """A step has put by an event, and is still at work when others have collected it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_put_by, self.is_collected = asyncio.Event(), asyncio.Event()

    @step
    async def begin(self, ev: Number) -> Part:
        return Part(n=1)

    @step
    async def also_begin(self, ev: Number) -> Part:
        await until(self.is_put_by)
        return Part(n=2)

    @step
    async def gather(self, ctx: Context, ev: Part) -> Done | Right:
        if ctx.collect_events(ev, [Part, Part]):
            return Done(n=ev.n)
        self.is_put_by.set()
        await until(self.is_collected)
        return Right(n=ev.n)

    @step
    async def free(self, ev: Done) -> None:
        self.is_collected.set()

    @step
    async def end(self, ev: Right) -> StopEvent:
        return StopEvent()


def ways(picture: Picture) -> Counter[tuple[str, str]]:
    """The edges, by the names of their nodes."""
    names = {node.id: node.label for node in picture.nodes}
    return Counter((names[edge.source], names[edge.target]) for edge in picture.edges)


def into(picture: Picture, node: Node) -> list[str]:
    """The notes of the nodes that lead to this one."""
    nodes = {each.id: each for each in picture.nodes}
    return sorted(nodes[edge.source].note for edge in picture.edges if edge.target == node.id)


def named(picture: Picture, label: str) -> Iterator[Node]:
    return (node for node in picture.nodes if node.label == label)


async def test_a_list_is_drawn_as_branches_that_are_joined_and_collected() -> None:
    handler = Halves().run()
    await ended(handler)
    picture = most_recent_execution(handler)
    assert ways(picture) == {
        ("Number", "split"): 1,
        ("split", "Part"): 3,
        ("Part", "left"): 3,
        ("Part", "right"): 3,
        ("left", "Left"): 3,
        ("right", "Right"): 3,
        ("Left", "join"): 3,
        ("Right", "join"): 3,
        ("join", "Done"): 3,
        ("Done", "gather"): 3,
        ("gather", "StopEvent"): 1,
    }
    assert [into(picture, join) for join in named(picture, "join")] == [
        [f"n={n}", f"n={n}"] for n in range(3)
    ]


async def test_steps_with_colons_in_their_names_are_drawn_as_any_others() -> None:
    class Named(Workflow):
        @step
        async def split(self, ev: Number) -> list[Left | Right]:
            return [Left(n=1), Right(n=1)]

    async def join(one: Left, other: Right) -> Done:
        return Done(n=one.n)

    async def gather(ev: list[Done]) -> StopEvent:
        return StopEvent(result=len(ev))

    for function in (join, gather):
        function.__name__ = f"steps:{function.__name__}:"
        step(workflow=Named)(function)
    handler = Named().run(n=1)
    assert await handler == 1
    numbered = shown_in(most_recent_execution(handler)).numbers
    assert numbered == [(1, "split"), (2, "steps:join:"), (3, "steps:gather:")]


async def test_of_a_list_only_what_was_wanted_leads_to_the_step_that_takes_it() -> None:
    handler = Direct().run()
    assert await ended(handler) == [0, 1]
    picture = most_recent_execution(handler)
    assert ways(picture)["split", "Part"] == 3
    (gather,) = named(picture, "gather")
    assert into(picture, gather) == ["n=0", "n=1"]


async def test_an_empty_list_leads_on_by_itself() -> None:
    handler = Direct().run(n=0)
    assert await ended(handler) == []
    assert ways(most_recent_execution(handler))["split", "gather"] == 1


async def test_events_of_one_fact_that_are_joined_are_each_drawn_once() -> None:
    handler = Pairs().run(n=4)
    await ended(handler)
    picture = most_recent_execution(handler)
    assert [into(picture, pair) for pair in named(picture, "pair")] == [
        ["n=0", "n=1"],
        ["n=2", "n=3"],
    ]


async def test_a_caught_failure_is_drawn_between_the_step_and_its_handler() -> None:
    handler = Rough().run()
    assert await ended(handler) == [0, 6, 3]
    picture = most_recent_execution(handler)
    shown = shown_in(picture)
    assert shown.named("failed") == ["work"]
    chain = {("Part", "work"), ("work", "StepFailedEvent"), ("StepFailedEvent", "mend")}
    assert chain <= shown.edges
    assert ways(picture)["Done", "gather"] == 3
    assert [node.note for node in picture.nodes if node.kind == "failed"] == ["failed"]


async def test_what_goes_out_with_the_end_leads_nowhere_and_nothing_goes_out_after_it() -> None:
    handler = Parting().run()
    await ended(handler)
    assert ways(most_recent_execution(handler)) == {
        ("StartEvent", "end"): 1,
        ("end", "Part"): 1,
        ("end", "StopEvent"): 1,
    }


async def test_what_was_collected_before_its_step_had_completed_is_drawn() -> None:
    handler = Late().run()
    await ended(handler)
    assert ways(most_recent_execution(handler))["gather", "gather"] == 1


async def test_what_a_rerun_has_adopted_is_drawn_with_what_it_gave() -> None:
    workflow = SlowFanOut()
    first = workflow.run()
    await ended(first)
    (tick,) = (c for c in own(first) if c.last_completed_step == "tick")
    rerun = workflow.run_from(tick, in_flight="adopt")
    await ended(rerun)
    shown = shown_in(most_recent_execution(rerun))
    assert {("checkpoint", "Scatter"), ("Scatter", "scatter"), ("scatter", "Part")} <= shown.edges
    assert [name for _, name in shown.numbers].count("scatter") == 1


@pytest.mark.parametrize("workflow", [Halves, Direct, Rough])
async def test_a_rerun_in_the_middle_of_a_list_is_drawn(workflow: type[Workflow]) -> None:
    made = workflow()
    first = made.run()
    result = await ended(first)
    for checkpoint in own(first)[:-1]:
        rerun = made.run_from(checkpoint)
        assert await ended(rerun) == result
        picture = most_recent_execution(rerun)
        (gather,) = named(picture, "gather")
        assert into(picture, gather)
        boxes = {node.id for node in picture.boxes()}
        assert boxes <= {edge.target for edge in picture.edges}
