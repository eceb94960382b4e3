"""What other engines of this language get wrong, case by case, with what they answer.

| case | others answer | here |
|---|---|---|
| rerun or resume while a step that sends 3 events is under way | `[0, 0, 1]` | `[0, 1, 2]` |
| parallel steps add to a counter, rerun | 5 or 4 | 3 |
| three equal events in flight, rerun | work lost, timeout | 3 |
| step in retry back-off, rerun | executed 2 or 3 times | once |
| rerun from the first checkpoint | the start step runs twice | once |
| collect `[A, B]` from A1 A2 B1 B2 | (2,1) (1,2), or drops A2 and hangs | (1,1) (2,2) |
| checkpoint to JSON and back | the event's fields are lost | equal |
| 14 checkpoints | each holds all before it | linear |
| filter by a step name made at run time | finds nothing | finds it |

Cases that take a service, a crash or HTTP are among the tests of those.
"""

import asyncio

import pytest

from cairn import (
    Context,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from cairn.engine.library.rerun import InFlight
from tests.engine.flows.sending import (
    Chain,
    Counting,
    Done,
    Number,
    Pairing,
    Part,
    SlowFanOut,
    Tick,
)
from tests.engine.tools.runs import completed, ended, own, through_json, until, until_true

# Rerun or resume while a step that sends 3 events is under way


async def test_a_rerun_while_a_step_that_sends_three_is_still_running_sends_each_once() -> None:
    workflow = SlowFanOut()
    source = workflow.run()
    assert await ended(source) == [0, 1, 2]
    amid = next(c for c in own(source) if c.last_completed_step == "tick")
    assert "scatter" not in completed(own(source)[: own(source).index(amid) + 1])
    assert await ended(workflow.run_from(checkpoint=amid)) == [0, 1, 2]


async def test_a_run_resumed_while_a_step_that_sends_three_is_still_running_sends_each_once() -> (
    None
):
    workflow = SlowFanOut()
    source = workflow.run()
    await until_true(lambda: "tick" in completed(own(source)))
    assert "scatter" not in completed(own(source))
    written = source.ctx.to_dict()
    await source.cancel_run()
    resumed = workflow.run(ctx=Context.from_dict(workflow, written))
    assert await ended(resumed) == [0, 1, 2]


# Parallel steps add to a counter


async def test_parallel_steps_that_add_to_a_counter_count_to_three_from_every_checkpoint() -> None:
    workflow = Counting()
    source = workflow.run()
    assert await ended(source) == 3
    reruns = [workflow.run_from(checkpoint=c) for c in own(source)[:-1]]
    assert [await ended(rerun) for rerun in reruns] == [3] * len(reruns)
    assert len(reruns) == 1 + 1 + 3 + 2  # received, scatter, add, gather but the last


async def test_the_checkpoints_of_a_counter_count_up_by_one() -> None:
    source = Counting().run()
    await ended(source)
    added = [c for c in own(source) if c.last_completed_step == "add"]
    assert [c.ctx_state["globals"]["count"] for c in added] == [1, 2, 3]


# Three equal events in flight


async def test_three_equal_events_in_flight_are_three_in_a_rerun() -> None:
    class Equal(Workflow):
        @step
        async def scatter(self, ctx: Context, ev: StartEvent) -> Part | None:
            for _ in range(3):
                ctx.send_event(Part(n=7))
            return None

        @step
        async def work(self, ev: Part) -> Done:
            return Done(n=ev.n)

        @step
        async def gather(self, ctx: Context, ev: Done) -> StopEvent | None:
            done = ctx.collect_events(ev, [Done] * 3)
            return None if done is None else StopEvent(result=sum(d.get("n") for d in done))

    workflow = Equal()
    source = workflow.run()
    assert await ended(source) == 21
    in_flight = next(c for c in own(source) if c.last_completed_step == "scatter")
    assert await ended(workflow.run_from(checkpoint=in_flight)) == 21
    assert completed(own(source)) == {"scatter": 1, "work": 3, "gather": 3}


# A step in retry back-off


class AtOnceThenLate:
    """Tries a second time at once, and a third time long after that."""

    def next(self, elapsed_time: float, attempts: int, error: Exception) -> float | None:
        return 0 if attempts < 2 else 60


class BackingOff(Workflow):
    """A step has failed twice, and is in back-off, when another one completes."""

    def __init__(self) -> None:
        super().__init__()
        self.tried = 0
        self.failed_twice = asyncio.Event()

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | Tick | None:
        ctx.send_event(Part(n=1))
        return Tick()

    @step(retry_policy=AtOnceThenLate())
    async def work(self, ev: Part) -> StopEvent:
        self.tried += 1
        if self.tried == 2:
            self.failed_twice.set()
        if self.tried <= 2:
            raise ConnectionError
        return StopEvent(result=ev.n)

    @step(skip_graph_checks=["dead_end"])
    async def tick(self, ev: Tick) -> None:
        await until(self.failed_twice)


@pytest.mark.parametrize("in_flight", ["rerun", "adopt"])
async def test_a_step_in_back_off_is_executed_once_in_a_rerun(in_flight: InFlight) -> None:
    workflow = BackingOff()
    source = workflow.run()
    await until_true(lambda: "tick" in completed(own(source)))
    assert (workflow.tried, await source.running_steps()) == (2, ["work"])
    rerun = workflow.run_from(checkpoint=own(source)[-1], in_flight=in_flight)
    assert await ended(rerun) == 1
    assert (workflow.tried, completed(own(rerun))) == (3, {"work": 1})
    await source.cancel_run()


# Rerun from the first checkpoint


async def test_a_rerun_from_the_first_checkpoint_starts_the_start_step_once() -> None:
    started = []

    class Once(Workflow):
        @step
        async def begin(self, ev: Number) -> StopEvent:
            started.append(ev.n)
            return StopEvent(result=ev.n)

    workflow = Once()
    source = workflow.run(n=5)
    await ended(source)
    first = own(source)[0]
    assert (first.last_completed_step, first.input_event) == (None, None)
    assert first.output_event == Number(n=5)
    rerun = workflow.run_from(checkpoint=first)
    assert await ended(rerun) == 5
    assert started == [5, 5]
    assert completed(own(rerun)) == {"begin": 1}


# Collecting [A, B] from A1 A2 B1 B2


async def test_collecting_pairs_first_in_first_out_and_keeps_the_surplus() -> None:
    assert await ended(Pairing().run()) == [(1, 1), (2, 2)]


# A checkpoint to JSON and back


async def test_the_fields_of_every_event_are_whole_after_json() -> None:
    class Typed(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Part:
            return Part(n=1, topic="math", deep={"set": {1, 2}})

        @step
        async def end(self, ev: Part) -> StopEvent:
            return StopEvent(result=(ev.n, ev["topic"], ev["deep"]))

    workflow = Typed()
    source = workflow.run(subject="any")
    result = await ended(source)
    assert result == (1, "math", {"set": {1, 2}})
    for checkpoint in own(source):
        back = through_json(workflow, checkpoint)
        assert back == checkpoint
        assert (back.input_event, back.output_event) == (
            checkpoint.input_event,
            checkpoint.output_event,
        )
    begun = through_json(workflow, own(source)[1])
    assert await ended(workflow.run_from(begun)) == result


# 14 checkpoints


async def test_fourteen_checkpoints_are_fourteen_times_as_large_as_one() -> None:
    class Around(Workflow):
        @step
        async def begin(self, ctx: Context, ev: Number) -> Part:
            await ctx.set("large", "x" * 100_000)
            return Part(n=ev.n)

        @step
        async def around(self, ev: Part) -> Part | StopEvent:
            return Part(n=ev.n - 1) if ev.n else StopEvent()

    source = Around().run(n=11)
    await ended(source)
    sizes = [len(c.model_dump_json()) for c in own(source)]
    assert len(sizes) == 14
    assert max(sizes) < 1.1 * sizes[1]


# Filtering by a step name made at run time


async def test_checkpoints_are_filtered_by_a_step_name_made_at_run_time() -> None:
    source = Chain().run()
    await ended(source)
    name = "".join(["dou", "ble"])
    assert name is not Chain.double.__name__
    found = source.ctx.filter_checkpoints(last_completed_step=name)
    assert [c.output_event for c in found] == [Done(n=6)]
