"""Lists: a step returns many events, and another takes what came of all of them."""

import json
from collections.abc import Callable

import pytest

from cairn import (
    Checkpoint,
    Handler,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from cairn.engine.core.delta_json import to_json
from cairn.engine.library.held_context import held
from tests.engine.flows.list_members import AskingMember, CaughtMember, FlakyMember, StoppingEarly
from tests.engine.flows.lists import Answer, Backwards, Done, Part, Total, Width, Word
from tests.engine.flows.shapes import LISTS, Shape
from tests.engine.tools.runs import (
    completed,
    ended,
    own,
    rerun_everywhere,
    state,
    through_json,
    waiting,
)


async def answered(shape: Shape) -> tuple[Workflow, Handler]:
    """A run of the workflow, with its answers."""
    workflow = shape.workflow()
    handler = workflow.run()
    for answer in shape.answers:
        handler.send_event(answer)
    return workflow, handler


by_name = pytest.mark.parametrize("shape", LISTS, ids=lambda shape: shape.workflow.__name__)


@by_name
async def test_a_workflow_with_lists_comes_to_its_result(shape: Shape) -> None:
    _, handler = await answered(shape)
    assert await ended(handler) == shape.result


@by_name
@pytest.mark.parametrize("carried", [lambda _, c: c, through_json], ids=["as it is", "as JSON"])
async def test_a_rerun_from_any_checkpoint_gives_what_the_run_gave(
    shape: Shape, carried: Callable[[Workflow, Checkpoint], Checkpoint]
) -> None:
    workflow, handler = await answered(shape)
    await rerun_everywhere(workflow, handler, *shape.answers, carried=carried)


@by_name
async def test_a_rerun_can_take_the_results_that_steps_in_flight_came_to(shape: Shape) -> None:
    workflow, handler = await answered(shape)
    result = await ended(handler)
    for checkpoint in own(handler)[1:-1]:
        rerun = workflow.run_from(checkpoint=checkpoint, in_flight="adopt")
        for answer in shape.answers:
            rerun.send_event(answer)
        assert await ended(rerun) == result, checkpoint.last_completed_step


@by_name
async def test_nothing_of_a_batch_is_left_when_the_run_has_ended(shape: Shape) -> None:
    _, handler = await answered(shape)
    await ended(handler)
    last = own(handler)[-1].snapshot
    assert not last.batches
    assert not last.queues
    assert not last.gathered
    assert not last.deliveries


async def test_a_rerun_that_drops_what_was_in_flight_collects_what_had_arrived() -> None:
    workflow = Backwards()
    handler = workflow.run()
    await ended(handler)
    worked = [c for c in own(handler) if c.last_completed_step == "work"]
    reruns = [workflow.run_from(checkpoint=c, in_flight="drop") for c in worked]
    assert [await ended(rerun) for rerun in reruns] == [[3], [2, 3], [1, 2, 3], [0, 1, 2, 3]]


async def test_a_rerun_of_a_rerun_gives_the_same() -> None:
    workflow = Backwards()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(checkpoint=own(source)[2])
    await rerun_everywhere(workflow, rerun)


async def test_members_that_wait_for_a_person_hold_their_list_back() -> None:
    workflow = AskingMember()
    handler = workflow.run()
    checkpoint = await waiting(handler)
    assert "gather" not in completed(own(handler))
    handler.send_event(Answer(n=2))
    handler.send_event(Answer(n=0))
    await rerun_everywhere(workflow, handler, Answer(n=0), Answer(n=2))
    resumed = workflow.run_from(checkpoint=through_json(workflow, checkpoint))
    resumed.send_event(Answer(n=0))
    resumed.send_event(Answer(n=2))
    assert await ended(resumed) == ([10, 1, 12], 3)


async def test_what_failed_attempts_in_a_batch_wrote_and_sent_is_not_kept() -> None:
    handler = CaughtMember().run()
    await ended(handler)
    assert state(own(handler)[-1]) == {"worked": 2, "heard": 2}
    flaky = FlakyMember().run()
    await ended(flaky)
    assert state(own(flaky)[-1]) == {"worked": 3}


async def test_a_stop_event_in_a_list_ends_the_run() -> None:
    class Stops(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part | StopEvent]:
            return [Part(n=0), StopEvent(result="here"), Part(n=1)]

        @step
        async def work(self, ev: Part) -> StopEvent:
            return StopEvent(result="there")

    handler = Stops().run()
    assert await ended(handler) == "here"
    assert completed(own(handler)) == {"scatter": 1}


async def test_the_batches_that_are_open_when_the_run_stops_are_dropped() -> None:
    handler = StoppingEarly().run()
    await ended(handler)
    before, last = own(handler)[-2:]
    assert len(before.snapshot.batches) > 1
    assert not last.snapshot.batches


async def test_a_batch_holds_the_same_event_many_times() -> None:
    class Same(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part]:
            return [Part(n=1)] * 3

        @step
        async def work(self, ev: Part) -> Done:
            return Done(n=ev.n)

        @step
        async def gather(self, ev: list[Done]) -> StopEvent:
            return StopEvent(result=sum(e.n for e in ev))

    workflow = Same()
    handler = workflow.run()
    assert await ended(handler) == 3
    await rerun_everywhere(workflow, handler)


async def test_a_list_can_be_collected_as_it_was_returned() -> None:
    class Straight(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Done]:
            return [Done(n=n) for n in (3, 1, 2)]

        @step
        async def gather(self, ev: list[Done]) -> StopEvent:
            return StopEvent(result=[e.n for e in ev])

    assert await ended(Straight().run()) == [3, 1, 2]


async def test_a_member_that_nobody_takes_does_not_hold_its_batch_open() -> None:
    class Ignored(Workflow):
        @step
        async def scatter(self, ev: StartEvent) -> list[Part | Word]:
            return [Part(n=0), Word(word="unread")]

        @step
        async def work(self, ev: Part) -> Done:
            return Done(n=ev.n)

        @step
        async def gather(self, ev: list[Done]) -> StopEvent:
            return StopEvent(result=len(ev))

    assert await ended(Ignored(skip_graph_checks=["terminal_event"]).run()) == 1


class Wide(Workflow):
    """A list of any width, through two steps, with what is collected left as it is."""

    @step
    async def scatter(self, ev: Width) -> list[Part]:
        return [Part(n=n) for n in range(ev.width)]

    @step
    async def work(self, ev: Part) -> Done:
        return Done(n=ev.n)

    @step
    async def gather(self, ev: list[Done]) -> Total:
        return Total(n=len(ev))

    @step
    async def end(self, ev: Total) -> StopEvent:
        return StopEvent(result=ev.n)


async def sizes(workflow: Workflow, width: int) -> list[int]:
    """The bytes of each checkpoint of a run with a list of that width, smallest first."""
    handler = workflow.run(width=width)
    assert await ended(handler) == width
    return sorted(len(json.dumps(to_json(r.delta))) for r in held(handler.ctx).runs.journal.records)


async def test_checkpoints_do_not_grow_with_the_width_of_a_list() -> None:
    narrow, wide = await sizes(Wide(), 10), await sizes(Wide(), 1000)
    assert len(wide) == 1000 + 4
    # The widest two open the list and release it; in others, numbers have more digits.
    assert wide[-3] < narrow[-3] + 40
    assert wide[0] < narrow[0] + 40
