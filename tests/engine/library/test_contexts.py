"""Contexts: their runs take turns, and none is harmed by how another ended."""

import asyncio
from typing import Any

import pytest

from cairn import (
    Context,
    WorkflowCancelledByUser,
    WorkflowConfigurationError,
)
from tests.engine.flows.raising_or_standing import Raises, Standing
from tests.engine.flows.sending import Chain, Loop
from tests.engine.tools.runs import BOUND, ended, until


async def test_a_failed_run_leaves_its_context_usable() -> None:
    workflow = Raises(ValueError("no"))
    ctx = Context(workflow=workflow)
    with pytest.raises(ValueError, match="no"):
        await ended(workflow.run(ctx=ctx))
    workflow.error = None
    assert await ended(workflow.run(ctx=ctx)) == "done"
    assert len(ctx.checkpoints) == 2 + 3


async def test_two_runs_in_one_context_take_turns() -> None:
    workflow = Standing()
    ctx = Context(workflow=workflow)
    one, two = workflow.run(ctx=ctx), workflow.run(ctx=ctx)
    await until(workflow.reached)
    for _ in range(100):
        await asyncio.sleep(0)
    assert ctx.is_running
    assert {c.run_id for c in ctx.checkpoints} == {one.run_id}
    workflow.go_on.set()
    assert [await ended(one), await ended(two)] == [1, 2]
    assert [c.run_id for c in ctx.checkpoints] == [one.run_id] * 3 + [two.run_id] * 3
    assert not ctx.is_running


async def test_a_run_begins_when_the_one_before_it_in_its_context_has_failed() -> None:
    workflow = Raises(ValueError("no"))
    ctx = Context(workflow=workflow)
    one, two = workflow.run(ctx=ctx), workflow.run(ctx=ctx)
    for handler in (one, two):
        with pytest.raises(ValueError, match="no"):
            await ended(handler)
    assert [c.run_id for c in ctx.checkpoints] == [one.run_id] * 2 + [two.run_id] * 2


async def test_a_run_that_waits_for_its_turn_may_be_cancelled() -> None:
    workflow = Standing()
    ctx = Context(workflow=workflow)
    one, two, three = (workflow.run(ctx=ctx) for _ in range(3))
    await until(workflow.reached)
    async with asyncio.timeout(BOUND):
        await two.cancel_run()
    with pytest.raises(WorkflowCancelledByUser):
        await ended(two)
    assert not one.is_done()
    workflow.go_on.set()
    assert [await ended(one), await ended(three)] == [1, 2]


async def test_the_time_a_run_waits_for_its_turn_does_not_count() -> None:
    first, second = Standing(), Standing(timeout=0.2)
    ctx = Context(workflow=first)
    one, two = first.run(ctx=ctx), second.run(ctx=ctx)
    second.go_on.set()
    asyncio.get_running_loop().call_later(0.4, first.go_on.set)
    assert [await ended(one), await ended(two)] == [1, 2]


async def test_a_context_of_another_workflow_is_refused() -> None:
    with pytest.raises(WorkflowConfigurationError, match=r"Chain|Loop"):
        Chain().run(ctx=Context(workflow=Loop()))


def test_a_context_outlives_its_event_loop() -> None:
    workflow = Chain()
    ctx = Context(workflow=workflow)

    async def once() -> Any:
        return await ended(workflow.run(ctx=ctx))

    async def cut_short() -> None:
        workflow.run(ctx=ctx)
        await asyncio.sleep(0)

    assert asyncio.run(once()) == asyncio.run(once())
    asyncio.run(cut_short())
    assert asyncio.run(once()) == (6, ["begin", "double", "end"])
