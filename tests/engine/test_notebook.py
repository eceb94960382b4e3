"""The notebook's cells in Python, with jokes from a script instead of a model."""

import pytest

from cairn import Checkpoint, Context, Event, StartEvent, StopEvent, Workflow, step
from tests.engine.tools.runs import ended, through_json


class JokeEvent(Event):
    joke: str


class JokeFlow(Workflow):
    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    @step
    async def generate_joke(self, ev: StartEvent) -> JokeEvent:
        return JokeEvent(joke=self.complete(f"a joke about {ev.topic}"))

    @step
    async def critique_joke(self, ev: JokeEvent) -> StopEvent:
        return StopEvent(result=self.complete(f"a critique of {ev.joke}"))

    def complete(self, prompt: str) -> str:
        self.asked.append(prompt)
        return prompt


class TopicEvent(StartEvent):
    topic: str


class DeclaredJokeFlow(Workflow):
    @step
    async def generate_joke(self, ev: TopicEvent) -> JokeEvent:
        return JokeEvent(joke=f"a joke about {ev.topic}")

    @step
    async def critique_joke(self, ev: JokeEvent) -> StopEvent:
        return StopEvent(result=f"a critique of {ev.joke}")


@pytest.fixture
def workflow() -> JokeFlow:
    return JokeFlow()


@pytest.fixture
async def ctx(workflow: JokeFlow) -> Context:
    """The context in which the notebook has run three topics."""
    ctx = Context(workflow=workflow)
    for topic in ("chemistry", "biology", "physics"):
        await ended(workflow.run(ctx=ctx, topic=topic))
    return ctx


async def test_the_result_is_what_the_stop_event_brought(workflow: JokeFlow) -> None:
    handler = workflow.run(topic="math")
    assert await handler == "a critique of a joke about math"


async def test_a_declared_start_event_is_read_like_a_dynamic_one() -> None:
    by_fields = DeclaredJokeFlow().run(topic="math")
    whole = DeclaredJokeFlow().run(start_event=TopicEvent(topic="math"))
    assert await ended(by_fields) == await ended(whole) == "a critique of a joke about math"


async def test_a_handler_may_be_awaited_again(workflow: JokeFlow) -> None:
    handler = workflow.run(topic="math")
    assert await handler == await handler
    assert workflow.asked == ["a joke about math", "a critique of a joke about math"]


async def test_one_run_leaves_three_checkpoints(workflow: JokeFlow) -> None:
    ctx = Context(workflow=workflow)
    handler = workflow.run(ctx=ctx, topic="math")
    await handler
    assert handler.ctx is ctx
    assert [
        (c.last_completed_step, type(c.input_event), type(c.output_event)) for c in ctx.checkpoints
    ] == [
        (None, type(None), StartEvent),
        ("generate_joke", StartEvent, JokeEvent),
        ("critique_joke", JokeEvent, StopEvent),
    ]


async def test_a_run_makes_its_own_context_when_none_is_given(workflow: JokeFlow) -> None:
    one, two = workflow.run(topic="math"), workflow.run(topic="art")
    await ended(one)
    await ended(two)
    assert (len(one.ctx.checkpoints), len(two.ctx.checkpoints)) == (3, 3)


async def test_three_runs_in_one_context_leave_nine_checkpoints(ctx: Context) -> None:
    assert len(ctx.checkpoints) == 9
    assert len({c.id_ for c in ctx.checkpoints}) == 9
    assert [c.output_event.get("topic") for c in ctx.checkpoints[::3] if c.output_event] == [
        "chemistry",
        "biology",
        "physics",
    ]


async def test_checkpoints_are_filtered_by_the_event_that_came_out(ctx: Context) -> None:
    stops = ctx.filter_checkpoints(output_event_type=StopEvent)
    assert [c.output_event.get("result") for c in stops if c.output_event] == [
        "a critique of a joke about chemistry",
        "a critique of a joke about biology",
        "a critique of a joke about physics",
    ]


async def test_checkpoints_are_filtered_by_the_event_that_went_in(ctx: Context) -> None:
    found = ctx.filter_checkpoints(input_event_type=JokeEvent)
    assert [c.last_completed_step for c in found] == ["critique_joke"] * 3
    assert ctx.filter_checkpoints(input_event_type=StopEvent) == []


async def test_checkpoints_are_filtered_by_the_step_that_completed_last(ctx: Context) -> None:
    jokes = ctx.filter_checkpoints(last_completed_step="generate_joke")
    assert [c.output_event for c in jokes] == [
        JokeEvent(joke=f"a joke about {topic}") for topic in ("chemistry", "biology", "physics")
    ]


async def test_the_name_of_a_step_may_be_a_string_made_at_run_time(ctx: Context) -> None:
    name = "_".join(["generate", "joke"])
    assert len(ctx.filter_checkpoints(last_completed_step=name)) == 3


async def test_the_type_of_an_event_may_be_given_by_its_name(ctx: Context) -> None:
    assert len(ctx.filter_checkpoints(output_event_type="JokeEvent")) == 3
    assert len(ctx.filter_checkpoints(input_event_type="StartEvent")) == 3
    assert ctx.filter_checkpoints(output_event_type="Event") == []


async def test_the_type_of_an_event_is_meant_exactly(ctx: Context) -> None:
    assert ctx.filter_checkpoints(output_event_type=Event) == []


async def test_filters_are_anded(ctx: Context) -> None:
    both = ctx.filter_checkpoints(last_completed_step="generate_joke", output_event_type=JokeEvent)
    assert len(both) == 3
    all_three = ctx.filter_checkpoints(
        last_completed_step="critique_joke",
        input_event_type=JokeEvent,
        output_event_type=StopEvent,
    )
    assert len(all_three) == 3
    assert (
        ctx.filter_checkpoints(last_completed_step="generate_joke", output_event_type=StopEvent)
        == []
    )


async def test_filtering_by_nothing_is_refused(ctx: Context) -> None:
    with pytest.raises(ValueError, match=r"last_completed_step.*output_event_type"):
        ctx.filter_checkpoints()


async def test_a_filter_that_matches_nothing_finds_nothing(ctx: Context) -> None:
    assert ctx.filter_checkpoints(last_completed_step="no_such_step") == []


async def test_an_empty_context_has_nothing_to_find(workflow: JokeFlow) -> None:
    empty = Context(workflow=workflow)
    assert empty.checkpoints == []
    assert empty.filter_checkpoints(output_event_type=StopEvent) == []
    assert empty.filter_checkpoints(last_completed_step="generate_joke") == []
    with pytest.raises(ValueError, match="last_completed_step"):
        empty.filter_checkpoints()


async def test_a_rerun_executes_only_what_was_left_and_leaves_the_tenth_checkpoint(
    workflow: JokeFlow, ctx: Context
) -> None:
    joke = ctx.filter_checkpoints(last_completed_step="generate_joke")[0]
    workflow.asked.clear()
    handler = workflow.run_from(checkpoint=joke, ctx=ctx)
    assert await handler == "a critique of a joke about chemistry"
    assert workflow.asked == ["a critique of a joke about chemistry"]
    assert len(ctx.checkpoints) == 10
    assert ctx.checkpoints[-1].last_completed_step == "critique_joke"
    assert ctx.checkpoints[-1].id_ not in {c.id_ for c in ctx.checkpoints[:-1]}


async def test_a_rerun_from_the_first_checkpoint_is_one_ordinary_run(
    workflow: JokeFlow, ctx: Context
) -> None:
    workflow.asked.clear()
    handler = workflow.run_from(checkpoint=ctx.checkpoints[3])
    assert await handler == "a critique of a joke about biology"
    assert workflow.asked == ["a joke about biology", "a critique of a joke about biology"]


async def test_the_first_checkpoint_has_no_step_and_no_input(ctx: Context) -> None:
    first = ctx.checkpoints[0]
    assert (first.last_completed_step, first.input_event) == (None, None)
    assert first.output_event == StartEvent(topic="chemistry")


async def test_every_checkpoint_goes_to_json_and_back_unchanged(
    workflow: JokeFlow, ctx: Context
) -> None:
    for checkpoint in ctx.checkpoints:
        back = through_json(workflow, checkpoint)
        assert back == checkpoint
        assert back.ctx_state == checkpoint.ctx_state


async def test_the_users_own_events_are_whole_after_json(workflow: JokeFlow, ctx: Context) -> None:
    written = ctx.filter_checkpoints(last_completed_step="generate_joke")[1].model_dump_json()
    back = Checkpoint.model_validate_json(written)
    assert back.output_event == JokeEvent(joke="a joke about biology")
    assert back.input_event == StartEvent(topic="biology")
    assert await ended(workflow.run_from(checkpoint=back)) == "a critique of a joke about biology"


async def test_a_checkpoint_goes_through_a_dict_too(ctx: Context) -> None:
    joke = ctx.checkpoints[1]
    assert Checkpoint.model_validate(joke.model_dump()) == joke
    assert Checkpoint.model_validate(joke.model_dump(mode="json")) == joke


async def test_ctx_state_has_the_keys_that_the_notebook_prints(ctx: Context) -> None:
    for checkpoint in ctx.checkpoints:
        assert list(checkpoint.ctx_state) == [
            "globals",
            "streaming_queue",
            "queues",
            "stepwise",
            "events_buffer",
            "accepted_events",
            "broker_log",
            "is_running",
        ]


async def test_ctx_state_holds_the_globals_at_that_point_and_is_not_nested() -> None:
    class Remembering(Workflow):
        @step
        async def remember(self, ctx: Context, ev: StartEvent) -> JokeEvent:
            await ctx.set("topic", "math")
            return JokeEvent(joke="?")

        @step
        async def forget(self, ctx: Context, ev: JokeEvent) -> StopEvent:
            await ctx.set("topic", "art")
            return StopEvent()

    handler = Remembering().run()
    await ended(handler)
    topics = [c.ctx_state["globals"].get("topic") for c in handler.ctx.checkpoints]
    assert topics == [None, "math", "art"]
    assert all("ctx_state" not in c.ctx_state for c in handler.ctx.checkpoints)
