"""Nothing recorded is an alias of a live object: no checkpoint changes with what is in hand."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from cairn import (
    Context,
    Event,
    Handler,
    HumanResponseEvent,
    StartEvent,
    StopEvent,
    Workflow,
    step,
)
from tests.engine.flows.asking import Question
from tests.engine.flows.sending import Chain
from tests.engine.tools.runs import ended, own, shown, state

Kept = list[Any]


class Words(Event):
    words: list[str]


class Said(HumanResponseEvent):
    words: list[str]


class Basket(BaseModel):
    """A state that holds what can be changed in place."""

    fruits: list[str] = []
    owner: dict[str, Any] = {}


def spoil(value: Any) -> None:
    """Change it in place, and all that it holds."""
    match value:
        case list():
            for item in value:
                spoil(item)
            value.append("spoilt")
        case dict():
            for item in list(value.values()):
                spoil(item)
            value["spoilt"] = "spoilt"
        case set():
            value.add("spoilt")
        case Event():
            for item in value.to_dict().values():
                spoil(item)
            value["spoilt"] = "spoilt"
        case BaseModel():
            for name in type(value).model_fields:
                spoil(getattr(value, name))


def written(source: Handler) -> list[str]:
    """All that the run's checkpoints hold."""
    return [c.model_dump_json() for c in own(source)]


class Keeping(Workflow):
    """Each step keeps all that it has got and given; `kept` is all of it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Kept = []

    def keep(self, value: Any) -> Any:
        self.kept.append(value)
        return value

    @step
    async def begin(self, ctx: Context[Basket], ev: StartEvent) -> Words:
        self.keep(ev)
        await ctx.set("fruits", self.keep(["apple"]))
        await ctx.store.set("owner.names", self.keep(["ada"]))
        await ctx.store.set("owner.home", self.keep({"town": {"zip": [1]}}))
        ctx.send_event(self.keep(Words(words=["sent"])))
        ctx.send_event(self.keep(Words(words=["to", "one"])), step="gather")
        return self.keep(Words(words=["returned"]))  # type: ignore[no-any-return]

    @step(num_workers=1)
    async def gather(self, ctx: Context[Basket], ev: Words) -> Question | StopEvent | None:
        self.keep(await ctx.get("fruits"))
        self.keep(await ctx.get("nothing", default=["default"]))
        self.keep(await ctx.store.get("owner.names"))
        self.keep(await ctx.store.get("owner.home.town"))
        self.keep(await ctx.store.get_state())
        async with ctx.store.edit_state() as state:
            self.keep(state).fruits.append(ev.words[0])
        words = ctx.collect_events(self.keep(ev), [Words] * 3)
        if words is None:
            return None
        self.keep(words)
        wanted = {"kind": self.keep(["any"])}
        said = await ctx.wait_for_event(
            Said, waiter_event=self.keep(Question(words=["why"])), requirements=wanted
        )
        return StopEvent(result=[w.words for w in words] + [self.keep(said).words])


ANSWER: dict[str, Any] = {"words": ["so"], "kind": ["any"]}
RESULT = [["sent"], ["to", "one"], ["returned"], ["so"]]
FRUITS = ["apple", "sent", "to", "returned"]
OWNER = {"names": ["ada"], "home": {"town": {"zip": [1]}}}


async def kept_and_spoilt() -> tuple[Keeping, Handler, list[str]]:
    """A run of which everything that was ever in hand is changed, and its checkpoints before."""
    workflow = Keeping()
    source = workflow.run(start_event=workflow.keep(StartEvent(words=["start"])))
    workflow.keep(await shown(source, Question))
    source.send_event(workflow.keep(Said(words=["so"], kind=["any"])))
    result = await ended(source)
    assert result == RESULT
    before = written(source)
    spoil([*workflow.kept, result])
    return workflow, source, before


async def test_changing_all_that_steps_had_in_hand_changes_no_checkpoint() -> None:
    _, source, before = await kept_and_spoilt()
    assert written(source) == before
    assert state(own(source)[-1]) == {"fruits": FRUITS, "owner": OWNER}
    assert await source.ctx.get("fruits") == FRUITS
    assert await source.ctx.store.get("owner") == OWNER


async def test_nor_does_it_change_what_a_rerun_gives() -> None:
    workflow, source, _ = await kept_and_spoilt()
    for checkpoint in own(source)[:-1]:
        rerun = workflow.run_from(checkpoint)
        if not any(isinstance(c.output_event, Said) for c in upto(source, checkpoint.id_)):
            rerun.send_event(Said(**ANSWER))
        assert await ended(rerun) == RESULT
        assert await rerun.ctx.get("fruits") == FRUITS


def upto(source: Handler, id_: str) -> list[Any]:
    ids = [c.id_ for c in own(source)]
    return own(source)[: ids.index(id_) + 1]


GOT: list[Callable[[Context[Any]], Any]] = [
    lambda ctx: ctx.get("fruits"),
    lambda ctx: ctx.store.get("fruits"),
    lambda ctx: ctx.store.get("owner.home.town"),
    lambda ctx: ctx.store.get_state(),
]


@pytest.mark.parametrize("get", GOT)
async def test_changing_what_was_got_outside_of_steps_changes_nothing(
    get: Callable[[Context[Any]], Any],
) -> None:
    _, source, before = await kept_and_spoilt()
    spoil(await get(source.ctx))
    assert written(source) == before
    assert await source.ctx.get("fruits") == FRUITS
    assert await source.ctx.get("owner") == OWNER


async def test_writing_to_a_context_between_runs_changes_no_checkpoint() -> None:
    _, source, before = await kept_and_spoilt()
    mine = ["mine"]
    await source.ctx.set("fruits", mine)
    await source.ctx.store.set("owner.home.town.zip", mine)
    async with source.ctx.store.edit_state() as basket:
        basket.owner["names"].append("bob")
    mine.append("spoilt")
    basket.fruits.append("spoilt")
    assert await source.ctx.get("fruits") == ["mine"]
    assert await source.ctx.store.get("owner.home.town.zip") == ["mine"]
    assert await source.ctx.store.get("owner.names") == ["ada", "bob"]
    assert written(source) == before


async def test_changing_what_one_look_at_the_checkpoints_shows_changes_no_other_look() -> None:
    _, source, before = await kept_and_spoilt()
    for checkpoint in own(source):
        spoil(checkpoint.ctx_state)
        spoil(checkpoint.input_event)
        spoil(checkpoint.output_event)
    assert written(source) == before


async def test_a_run_under_way_is_not_changed_by_what_is_got_from_outside() -> None:
    workflow = Keeping()
    source = workflow.run()
    await shown(source, Question)
    spoil(await source.ctx.get("fruits", default=[]))
    spoil(await source.ctx.store.get_state())
    for checkpoint in own(source):
        spoil(checkpoint.ctx_state)
        spoil(checkpoint.output_event)
    source.send_event(Said(**ANSWER))
    assert await ended(source) == RESULT
    assert await source.ctx.get("fruits") == FRUITS


async def test_two_reruns_of_one_checkpoint_share_nothing() -> None:
    workflow = Chain()
    source = workflow.run()
    await ended(source)
    begun = own(source)[1]
    first, second = workflow.run_from(begun), workflow.run_from(begun)
    result = await ended(first)
    spoil(result[1])
    spoil(await first.ctx.get("trail"))
    assert await ended(second) == (6, ["begin", "double", "end"])
    assert await second.ctx.get("trail") == ["begin", "double", "end"]
