"""Events: fields declared and dynamic, and what of them arrives at the next step."""

from typing import Any

import pytest
from pydantic import Field, PrivateAttr, ValidationError

from cairn import (
    Event,
    StartEvent,
    StopEvent,
    Workflow,
    WorkflowError,
    WorkflowRuntimeError,
    step,
)
from tests.engine.tools.runs import ended, own, through_json


class Mixed(Event):
    declared: int
    optional: str = "default"
    _note: str = PrivateAttr(default="none")


class Aliased(Event):
    text: str = Field(alias="Text")
    numbers: list[int] = Field(default_factory=list, alias="Numbers")


async def test_a_dynamic_field_is_read_like_a_declared_one() -> None:
    event = Mixed(declared=1, dynamic=[2])
    assert event.declared == 1
    assert event["dynamic"] == getattr(event, "dynamic") == [2]  # noqa: B009
    with pytest.raises(AttributeError, match="absent"):
        getattr(event, "absent")  # noqa: B009


async def test_a_dynamic_field_may_be_set() -> None:
    event = Event()
    event["one"] = 1
    setattr(event, "two", 2)  # noqa: B010
    assert dict(event.items()) == {"one": 1, "two": 2}


async def test_a_declared_field_is_validated() -> None:
    with pytest.raises(ValidationError, match="declared"):
        Mixed(declared="no number")  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="declared"):
        Mixed()  # type: ignore[call-arg]


async def test_mapping_methods_speak_of_the_dynamic_fields() -> None:
    event = Mixed(declared=1, a=2, b=3)
    assert list(event.keys()) == ["a", "b"] == list(event)
    assert list(event.values()) == [2, 3]
    assert list(event.items()) == [("a", 2), ("b", 3)]
    assert len(event) == 2
    assert "a" in event
    assert "declared" not in event
    assert event["a"] == 2
    with pytest.raises(KeyError):
        event["absent"]


async def test_get_and_to_dict_know_all_fields() -> None:
    event = Mixed(declared=1, a=2)
    assert (event.get("declared"), event.get("a")) == (1, 2)
    assert (event.get("absent"), event.get("absent", 5)) == (None, 5)
    assert event.to_dict() == {"declared": 1, "optional": "default", "a": 2}


async def test_an_event_without_fields_is_still_true() -> None:
    assert Event()


async def test_events_are_equal_by_type_and_fields() -> None:
    assert Mixed(declared=1, a=2) == Mixed(declared=1, a=2)
    assert Mixed(declared=1, a=2) != Mixed(declared=1, a=3)
    assert Event(a=1) != StartEvent(a=1)


def passing(event: Event) -> type[Workflow]:
    """A workflow in which one step gives the event, and the next one takes it."""

    class Passing(Workflow):
        @step
        async def give(self, ev: StartEvent) -> Mixed | Aliased | Carrier | Event:
            return event

        @step
        async def take(self, ev: Mixed | Aliased | Carrier | Event) -> StopEvent:
            taken.append(ev)
            return StopEvent()

    taken: list[Event] = []
    Passing.taken = taken  # type: ignore[attr-defined]
    return Passing


class Carrier(Event):
    inner: Event
    others: list[Event] = Field(default_factory=list)


@pytest.mark.parametrize(
    "event",
    [
        Mixed(declared=1, a={"b": [1, None, True, 1.5, "x"]}),
        Mixed(declared=1, _note="private"),
        Aliased(Text="x", Numbers=[1]),
        Carrier(inner=Mixed(declared=1, a=2), others=[Mixed(declared=3), Event(b=1)]),
        Event(model="m", type="t", data="d", result=1, **{"a b": 1, "": 2, "ключ": 3}),
    ],
    ids=["dynamic", "private", "aliased", "nested", "names"],
)
async def test_an_event_arrives_as_it_was_sent(event: Event) -> None:
    workflow = passing(event)()
    source = workflow.run()
    await ended(source)
    rerun = workflow.run_from(checkpoint=through_json(workflow, own(source)[1]))
    await ended(rerun)
    taken: list[Event] = workflow.taken  # type: ignore[attr-defined]
    assert len(taken) == 2
    for found in (*taken, own(source)[1].output_event, own(source)[2].input_event):
        assert found is not event
        assert found == event
        assert type(found) is type(event)
        assert getattr(found, "_note", None) == getattr(event, "_note", None)


async def test_nested_events_keep_their_types() -> None:
    workflow = passing(Carrier(inner=Mixed(declared=1), others=[Event(b=1)]))()
    await ended(workflow.run())
    (taken,) = workflow.taken  # type: ignore[attr-defined]
    assert type(taken.inner) is Mixed
    assert type(taken.others[0]) is Event


async def test_an_event_that_was_changed_before_it_is_returned_is_sent_as_changed() -> None:
    event = Mixed(declared=1)
    event.declared = 2
    event["late"] = 3
    workflow = passing(event)()
    await ended(workflow.run())
    (taken,) = workflow.taken  # type: ignore[attr-defined]
    assert (taken.declared, taken["late"]) == (2, 3)


class Order(StartEvent):
    item: str
    count: int = 1


class Receipt(StopEvent):
    item: str
    total: int


class Shop(Workflow):
    @step
    async def sell(self, ev: Order) -> Receipt:
        return Receipt(item=ev.item, total=ev.count * 2)


async def test_a_stop_event_of_ones_own_is_the_result() -> None:
    handler = Shop().run(item="cairn", count=4)
    assert await ended(handler) == Receipt(item="cairn", total=8)
    assert type(await handler) is Receipt
    assert len(handler.ctx.filter_checkpoints(output_event_type=Receipt)) == 1


async def test_a_start_event_of_ones_own_is_made_from_fields_or_given_whole() -> None:
    assert (await ended(Shop().run(item="a"))).total == 2
    assert (await ended(Shop().run(start_event=Order(item="a", count=2)))).total == 4


@pytest.mark.parametrize("fields", [{}, {"item": "a", "count": "many"}])
async def test_a_start_event_that_fails_its_declaration_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(WorkflowRuntimeError, match="item" if not fields else "count"):
        Shop().run(**fields)


async def test_a_start_event_of_another_type_is_refused() -> None:
    with pytest.raises(WorkflowError, match="Order"):
        Shop().run(start_event=StartEvent(item="a"))


async def test_a_plain_stop_events_result_may_be_nothing() -> None:
    class Quiet(Workflow):
        @step
        async def only(self, ev: StartEvent) -> StopEvent:
            return StopEvent()

    assert await ended(Quiet().run()) is None


async def test_types_may_be_made_where_the_workflow_is() -> None:
    class Asked(StartEvent):
        question: str

    class Local(Workflow):
        @step
        async def only(self, ev: Asked) -> StopEvent:
            return StopEvent(result=ev.question)

    handler = Local().run(question="why")
    assert await ended(handler) == "why"
    assert type(own(handler)[0].output_event) is Asked
