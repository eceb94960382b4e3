"""Contexts as dicts: written at any time, read back, and gone on with."""

import json
import threading
from typing import Any

import pytest

from cairn import (
    Context,
    ContextSerdeError,
    ContextStateError,
    Event,
    JsonSerializer,
    PickleSerializer,
    SerializationError,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowRuntimeError,
    step,
)
from tests.engine.flows.asking import Answer, Asking
from tests.engine.flows.raising_or_standing import Standing
from tests.engine.flows.sending import Chain, Part, SlowFanOut
from tests.engine.tools.runs import ended, own, until_true, waiting


def through_text(written: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(written))
    return read


async def test_a_run_that_waits_for_a_person_goes_on_in_a_context_read_back() -> None:
    workflow = Asking()
    source = workflow.run()
    await waiting(source)
    written = through_text(source.ctx.to_dict())
    assert written["is_running"]
    await source.cancel_run()
    ctx = Context.from_dict(workflow, written)
    assert ctx.is_running
    handler = workflow.run(ctx=ctx)
    handler.ctx.send_event(Answer(word="yes"))
    assert await ended(handler) == ["yes", 0, 1, 2]
    assert not ctx.is_running


async def test_a_run_that_was_cancelled_goes_on_where_it_stood() -> None:
    workflow = SlowFanOut()
    source = workflow.run()
    await until_true(lambda: len(own(source)) > 2)
    await source.cancel_run()
    written = through_text(source.ctx.to_dict())
    assert written["is_running"]
    assert await ended(workflow.run(ctx=Context.from_dict(workflow, written))) == [0, 1, 2]


async def test_what_a_run_has_left_is_there_for_the_next_one() -> None:
    workflow = Chain()
    ctx = Context(workflow)
    await ended(workflow.run(ctx=ctx, n=3))
    written = through_text(ctx.to_dict())
    assert not written["is_running"]
    again = Context(workflow, previous_context=written)
    assert await again.get("trail") == await ctx.get("trail")
    empty = Context.from_dict(workflow, ctx.to_dict(include_state=False))
    assert await empty.get("trail", default=None) is None


@pytest.mark.parametrize("serializer", [JsonSerializer(), PickleSerializer()])
async def test_a_serializer_writes_the_parts_as_text(serializer: JsonSerializer) -> None:
    workflow = Chain()
    ctx = Context(workflow)
    await ctx.set("seen", {1, 2})
    written = through_text(ctx.to_dict(serializer))
    assert isinstance(written["state"], str)
    assert await Context.from_dict(workflow, written, serializer).get("seen") == {1, 2}


@pytest.mark.parametrize(
    "garbage", [{}, {"version": 9, "is_running": False}, {"version": 1}, {"globals": {}}]
)
async def test_what_to_dict_has_not_made_is_refused(garbage: dict[str, Any]) -> None:
    with pytest.raises(ContextSerdeError):
        Context.from_dict(Chain(), garbage)


async def test_a_refused_run_leaves_the_unfinished_one_where_it_is() -> None:
    workflow = Asking()
    source = workflow.run()
    await waiting(source)
    ctx = Context.from_dict(workflow, source.ctx.to_dict())
    with pytest.raises(Exception, match="made for Asking"):
        Chain().run(ctx=ctx)
    assert ctx.is_running
    await source.cancel_run()


async def test_the_state_of_a_run_under_way_is_read_from_outside_and_not_written() -> None:
    workflow = Standing()
    handler = workflow.run()
    await workflow.reached.wait()
    assert await handler.ctx.get("begun") == 1
    assert await handler.ctx.store.get("begun") == 1
    with pytest.raises(WorkflowRuntimeError, match="only its steps"):
        await handler.ctx.set("begun", 5)
    assert await handler.ctx.running_steps() == ["stand"]
    workflow.go_on.set()
    await ended(handler)


async def test_a_context_without_a_run_cannot_be_asked_about_one() -> None:
    ctx = Context(Chain())
    for ask in (ctx.stream_events, ctx.get_result, lambda: ctx.send_event(Part(n=1))):
        with pytest.raises(ContextStateError, match="run"):
            ask()
    with pytest.raises(ContextStateError, match="running_steps"):
        await ctx.running_steps()


async def test_a_function_that_a_step_calls_finds_its_context() -> None:
    def helper() -> Context[Any]:
        return Context.get_step_context()

    class Calling(Workflow):
        @step
        async def begin(self, ctx: Context, ev: StartEvent) -> Part:
            assert helper() is ctx
            await helper().set("n", 7)
            return Part(n=1)

        @step
        def end(self, ev: Part) -> StopEvent:
            return StopEvent(result=helper().retry_info().retry_number)

    assert await ended(Calling().run()) == 0
    with pytest.raises(WorkflowRuntimeError, match="in a step"):
        helper()


class Holding(Workflow):
    """Keeps what JSON has no room for."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Part:
        await ctx.set("error", threading.ThreadError)
        return Part(n=1, kind=complex)

    @step
    async def end(self, ctx: Context, ev: Part) -> StopEvent:
        assert await ctx.get("error") is threading.ThreadError
        return StopEvent(result=ev.kind)


async def test_with_pickle_anything_is_kept_and_rerun() -> None:
    workflow = Holding(serializer=PickleSerializer())
    source = workflow.run()
    assert await ended(source) is complex
    for checkpoint in own(source)[:-1]:
        assert await ended(workflow.run_from(checkpoint)) is complex
    with pytest.raises(SerializationError, match="cannot be stored"):
        await ended(Holding().run())


def test_a_serializer_alone_reads_back_the_types_that_it_has_written() -> None:
    class Local(Event):
        n: int

    written = JsonSerializer().serialize({"events": [Local(n=1, extra="x"), StopEvent(2)]})
    assert JsonSerializer().deserialize(written) == {
        "events": [Local(n=1, extra="x"), StopEvent(result=2)]
    }
    with pytest.raises(SerializationError, match="no type"):
        JsonSerializer().deserialize(written.replace("Local", "Elsewhere"))
