"""Validation: every way in which steps and events may not fit together has its sentence."""

from typing import Any

import pytest

from cairn import (
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    WorkflowConfigurationError,
    WorkflowValidationError,
    catch_error,
    step,
)
from tests.engine.flows.lists import Answer, Done, Odd, Part, Question, Total
from tests.engine.flows.refused import (
    WRONG,
    Begins,
    DeadEnd,
    Island,
    NeverConsumed,
    NeverMeet,
    NeverProduced,
    NoListReturned,
    NoStart,
    NoStop,
    NotMarked,
    TakesStop,
    TwoStarts,
)
from tests.engine.tools.runs import ended


def sentences(cls: type[Workflow], **options: Any) -> list[str]:
    """What the workflow is refused for, when it is made or when it is validated."""
    with pytest.raises(WorkflowValidationError) as refused:
        cls(**options).validate()
    title, *lines = str(refused.value).split("\n")
    assert title == f"{cls.__name__} cannot run:"
    assert all(line.startswith("- ") for line in lines)
    return [line.removeprefix("- ") for line in lines]


def fits(sentence: str, pattern: str) -> bool:
    before, _, after = pattern.partition("*")
    return sentence.startswith(before) and sentence.endswith(after)


@pytest.mark.parametrize(("cls", "says"), WRONG, ids=[cls.__name__ for cls, _ in WRONG])
def test_each_thing_that_is_wrong_has_its_sentence(cls: type[Workflow], says: list[str]) -> None:
    found = sentences(cls)
    assert len(found) == len(says)
    assert all(map(fits, found, says)), found


@pytest.mark.parametrize("cls", [cls for cls, _ in WRONG], ids=lambda cls: cls.__name__)
async def test_a_run_is_refused_as_validation_refuses(cls: type[Workflow]) -> None:
    with pytest.raises(WorkflowValidationError, match="cannot run"):
        cls().run()


def test_all_that_is_wrong_is_listed_together() -> None:
    class Wrong(Workflow):
        @step
        async def begin(self, ev: StartEvent) -> Done:
            return Done(n=0)

        @step
        async def gather(self, ev: list[Odd]) -> Total:
            return Total(n=0)

        @step
        async def mend(self, ev: StepFailedEvent) -> None:
            return None

        @catch_error(for_steps=["nobody"])
        async def catch(self, ev: StepFailedEvent) -> None:
            return None

    assert [sentence.split(":")[0].split(",")[0] for sentence in sentences(Wrong)] == [
        "no step gives a StopEvent",
        "Odd is consumed but never produced",
        "Done is produced but never consumed",
        "Total is produced but never consumed",
        "catch catches the errors of 'nobody'",
        "mend takes a StepFailedEvent",
        "gather collects a list of Odd",
        "gather is never started",
        "begin leads to no end",
        "gather leads to no end",
    ]


# What can be skipped


@pytest.mark.parametrize(
    ("cls", "check"),
    [(Island, "reachability"), (NeverConsumed, "terminal_event"), (DeadEnd, "dead_end")],
)
async def test_a_check_can_be_skipped_for_a_workflow(cls: type[Workflow], check: str) -> None:
    others = {"reachability", "terminal_event", "dead_end"} - {check}
    assert sentences(cls, skip_graph_checks=others) == sentences(cls)
    assert await ended(cls(skip_graph_checks=[check]).run()) == "ended"


async def test_a_check_can_be_skipped_for_a_step() -> None:
    class Island(Begins):
        @step(skip_graph_checks=["reachability"])
        async def one(self, ev: Odd) -> Done:
            return Done(n=0)

        @step(skip_graph_checks=["reachability"])
        async def other(self, ev: Done) -> Odd | StopEvent:
            return Odd(n=0)

    class DeadEnd(Begins):
        @step(skip_graph_checks=["dead_end"])
        async def around(self, ev: Part) -> Odd:
            return Odd(n=0)

        @step
        async def and_around(self, ev: Odd) -> Odd:
            return Odd(n=0)

    assert await ended(Island().run()) == "ended"
    assert [s.split(":")[0] for s in sentences(DeadEnd)] == ["and_around leads to no end"]


@pytest.mark.parametrize(
    "cls", [TwoStarts, NoStop, TakesStop, NeverMeet, NoListReturned, NotMarked]
)
def test_what_is_no_question_of_ways_cannot_be_skipped(cls: type[Workflow]) -> None:
    every = ("reachability", "terminal_event", "dead_end")
    assert sentences(cls, skip_graph_checks=every) == sentences(cls)


async def test_with_validation_disabled_only_a_beginning_is_needed() -> None:
    assert await ended(NeverProduced(disable_validation=True).run()) == "ended"
    with pytest.raises(WorkflowValidationError, match="no step takes a StartEvent"):
        NoStart(disable_validation=True).validate()


def test_an_unknown_check_cannot_be_skipped() -> None:
    with pytest.raises(WorkflowConfigurationError, match="not typo"):
        Begins(skip_graph_checks=["typo"])
    with pytest.raises(WorkflowValidationError, match="not \\['typo'\\]"):

        class Wrong(Begins):
            @step(skip_graph_checks=["typo"])  # type: ignore[list-item]
            async def more(self, ev: Part) -> None:
                return None


def test_validation_says_whether_a_person_takes_part() -> None:
    class Asks(Begins):
        @step
        async def ask(self, ev: Part) -> Question:
            return Question(n=1)

    class Hears(Begins):
        @step
        async def hear(self, ev: Answer) -> StopEvent:
            return StopEvent()

    assert Begins().validate() is False
    assert Asks().validate() is True
    assert Hears().validate() is True
