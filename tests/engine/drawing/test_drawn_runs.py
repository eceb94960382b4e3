"""Drawings of runs: what was executed, in order, and which event led to what."""

import gc
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from cairn import (
    Checkpoint,
    Context,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
    Workflow,
    draw_most_recent_execution,
    step,
)
from cairn.engine.drawing import mermaid, most_recent_execution, page
from tests.engine.flows.sending import Chain, FanOut, Loop, Number, Part
from tests.engine.flows.shapes import Shape
from tests.engine.tools.runs import completed, ended, own, through_json, waiting
from tests.engine.tools.svg_reader import shown_in


class Fails(Workflow):
    @step
    async def begin(self, ev: Number) -> Part:
        return Part(n=ev.n)

    @step
    async def fail(self, ev: Part) -> StopEvent:
        raise ZeroDivisionError


class Asking(Workflow):
    @step
    async def ask(self, ctx: Context, ev: StartEvent) -> StopEvent:
        question = InputRequiredEvent(prefix="Who?")
        answer = await ctx.wait_for_event(HumanResponseEvent, waiter_event=question)
        return StopEvent(result=answer.name)


async def test_each_executed_step_is_drawn_in_order(shape: Shape) -> None:
    handler = shape.workflow().run()
    for answer in shape.answers:
        handler.send_event(answer)
    await ended(handler)
    numbered = shown_in(most_recent_execution(handler)).numbers
    expected = [c.last_completed_step for c in own(handler) if c.last_completed_step]
    assert numbered == list(enumerate(expected, 1))


async def test_a_chain_is_drawn_event_by_event() -> None:
    handler = Chain().run(n=1)
    await ended(handler)
    shown = shown_in(most_recent_execution(handler))
    way = ["Number", "begin", "Part", "double", "Done", "end", "StopEvent"]
    assert [name for _, name in shown.nodes] == way
    assert shown.edges == set(pairwise(way))


async def test_a_loop_is_unrolled() -> None:
    handler = Loop().run(n=2)
    await ended(handler)
    shown = shown_in(most_recent_execution(handler))
    assert shown.named("step") == ["begin", "around", "around", "around"]
    assert shown.named("event") == ["Part", "Part", "Part"]


async def test_a_fan_out_is_drawn_as_branches_that_are_collected() -> None:
    handler = FanOut().run(n=3)
    await ended(handler)
    picture = most_recent_execution(handler)
    kinds = {node.id: (node.kind, node.label) for node in picture.nodes}
    edges = Counter(
        (kinds[edge.source][1], kinds[edge.target][1], edge.loose) for edge in picture.edges
    )
    assert edges == {
        ("Number", "scatter", False): 1,
        ("scatter", "Part", False): 3,
        ("Part", "work", False): 3,
        ("work", "Done", False): 3,
        ("Done", "gather", False): 3,
        ("gather", "gather", True): 2,
        ("gather", "StopEvent", False): 1,
    }


async def test_each_branch_is_of_its_own_event() -> None:
    handler = FanOut().run(n=3)
    await ended(handler)
    picture = most_recent_execution(handler)
    nodes = {node.id: node for node in picture.nodes}
    leads = {edge.source: edge.target for edge in picture.edges}
    for node in picture.nodes:
        if node.label == "Part":
            assert nodes[leads[leads[node.id]]].note == node.note


async def test_what_has_failed_is_drawn_as_pending() -> None:
    handler = Fails().run()
    with pytest.raises(ZeroDivisionError):
        await ended(handler)
    picture = most_recent_execution(handler)
    shown = shown_in(picture)
    assert shown.named("step") == ["begin"]
    assert shown.named("pending") == ["fail"]
    assert ("Part", "fail") in shown.edges
    assert "1 step completed; it has not ended: 1 is pending." in picture.description


async def test_a_step_that_waited_is_drawn_before_and_after_the_answer() -> None:
    handler = Asking().run()
    await waiting(handler)
    handler.send_event(HumanResponseEvent(name="Ada"))
    await ended(handler)
    picture = most_recent_execution(handler)
    labels = [node.label for node in picture.nodes]
    ids = [node.id for node in picture.nodes]
    ways = {(ids.index(e.source), ids.index(e.target), e.loose) for e in picture.edges}
    asked, person, answer = "InputRequiredEvent", "from outside", "HumanResponseEvent"
    assert labels == ["StartEvent", "ask", asked, person, answer, "ask", "StopEvent"]
    chain = {(n, n + 1, False) for n in range(6)}
    assert ways == chain | {(1, 5, True)}


async def test_a_rerun_is_drawn_from_its_checkpoint() -> None:
    workflow = Chain()
    first = workflow.run()
    await ended(first)
    rerun = workflow.run_from(own(first)[1], ctx=first.ctx)
    await ended(rerun)
    shown = shown_in(most_recent_execution(rerun))
    assert shown.named("external") == ["checkpoint"]
    assert {("checkpoint", "Part"), ("Part", "double")} <= shown.edges
    assert shown.numbers == [(1, "double"), (2, "end")]


async def test_a_context_draws_the_run_that_began_last() -> None:
    workflow = Loop()
    ctx = Context(workflow)
    for n in (3, 1):
        await ended(workflow.run(ctx=ctx, n=n))
    assert len(shown_in(most_recent_execution(ctx)).named("step")) == 3
    assert most_recent_execution(ctx.checkpoints) == most_recent_execution(ctx)
    assert most_recent_execution(workflow) == most_recent_execution(ctx)


async def test_checkpoints_draw_their_run_as_far_as_the_newest_of_them() -> None:
    handler = Chain().run()
    await ended(handler)
    some = handler.ctx.filter_checkpoints(last_completed_step="double")
    shown = shown_in(most_recent_execution(some))
    assert shown.numbers == [(1, "begin"), (2, "double")]
    assert shown.named("pending") == ["end"]


async def test_a_rerun_in_a_context_of_its_own_is_drawn_from_every_checkpoint(shape: Shape) -> None:
    workflow = shape.workflow()
    first = workflow.run()
    for answer in shape.answers:
        first.send_event(answer)
    await ended(first)
    for checkpoint in own(first)[:-1]:
        rerun = workflow.run_from(checkpoint)
        for answer in shape.answers:
            rerun.send_event(answer)
        await ended(rerun)
        for subject in (rerun, own(rerun)):
            shown = shown_in(most_recent_execution(subject))
            assert Counter(name for _, name in shown.numbers) == completed(own(rerun))
            assert shown.named("external")[0] == "checkpoint"


async def test_checkpoints_that_have_been_through_json_are_refused() -> None:
    workflow = Chain()
    handler = workflow.run()
    await ended(handler)
    read = [through_json(workflow, checkpoint) for checkpoint in own(handler)]
    with pytest.raises(ValueError, match="through JSON cannot be drawn"):
        most_recent_execution(read)


async def test_a_drawn_run_says_the_fields_of_its_events() -> None:
    handler = Chain().run(n=4)
    await ended(handler)
    picture = most_recent_execution(handler)
    assert "<code>double</code> takes <code>Part</code> (n=4)" in page(picture)
    assert '"2 · double"' in mermaid(picture)


async def test_without_a_name_a_run_is_written_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    handler = Chain().run()
    await ended(handler)
    draw_most_recent_execution(handler)
    assert (tmp_path / "workflow_recent_execution.html").exists()


async def test_where_nothing_has_run_the_error_says_what_to_do(tmp_path: Path) -> None:
    workflow = Chain()
    nothing: list[Checkpoint] = []
    for subject in (workflow, Context(workflow), nothing, workflow.run()):
        with pytest.raises(ValueError, match="no run to draw yet: start one with `run`"):
            draw_most_recent_execution(subject, tmp_path / "run.html")


async def test_a_workflow_draws_the_run_started_last_though_nobody_has_kept_it() -> None:
    workflow = Loop()
    for n in (3, 1):
        await ended(workflow.run(n=n))
    gc.collect()
    assert len(shown_in(most_recent_execution(workflow)).named("step")) == 3


def test_what_is_no_run_is_refused() -> None:
    with pytest.raises(TypeError, match="Draw the run of a Handler"):
        most_recent_execution(Chain)  # type: ignore[arg-type]
