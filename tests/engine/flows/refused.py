"""Workflows that validation refuses, each with the sentences that say why."""

from pydantic import BaseModel

from cairn import (
    Context,
    StartEvent,
    StepFailedEvent,
    StopEvent,
    Workflow,
    catch_error,
    step,
)
from tests.engine.flows.lists import Answer, Done, Odd, Part


class Begins(Workflow):
    """A valid workflow, to which most of the others add a fault."""

    @step
    async def begin(self, ev: StartEvent) -> Part | StopEvent:
        return StopEvent(result="ended")

    @step
    async def work(self, ev: Part) -> StopEvent:
        return StopEvent()


class NoSteps(Workflow):
    pass


class NoStart(Workflow):
    @step
    async def hear(self, ev: Answer) -> StopEvent:
        return StopEvent()


class OtherStart(StartEvent):
    pass


class TwoStarts(Begins):
    @step
    async def other(self, ev: OtherStart) -> StopEvent:
        return StopEvent()


class NoStop(Workflow):
    @step
    async def begin(self, ev: StartEvent) -> None:
        return None


class One(BaseModel):
    n: int = 0


class Two(BaseModel):
    n: int = 0


class Needy(BaseModel):
    a: int
    b: int
    c: int = 0


class TwoStates(Begins):
    @step
    async def one(self, ctx: Context[One], ev: Part) -> None:
        return None

    @step
    async def two(self, ctx: Context[Two], ev: Part) -> None:
        return None


class NeedyState(Begins):
    @step
    async def one(self, ctx: Context[Needy], ev: Part) -> None:
        return None


class TakesStop(Begins):
    @step
    async def after(self, ev: StopEvent) -> None:
        return None


class NeverProduced(Begins):
    @step
    async def late(self, ev: Done) -> StopEvent:
        return StopEvent()


class NeverConsumed(Begins):
    @step
    async def more(self, ev: Part) -> Done | StopEvent:
        return Done(n=1)


class TwoForAll(Begins):
    @catch_error
    async def one(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()

    @catch_error
    async def other(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()


class NoSuchStep(Begins):
    @catch_error(for_steps=["wrok"])
    async def mend(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()


class HandlesHandlers(Begins):
    @catch_error(for_steps=["work"])
    async def mend(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()

    @catch_error(for_steps=["mend"])
    async def mend_more(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()


class HandlesItself(Begins):
    @catch_error(for_steps=["mend"])
    async def mend(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()


class HandledTwice(Begins):
    @catch_error(for_steps=["work"])
    async def one(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()

    @catch_error(for_steps=["begin", "work"])
    async def other(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()


class NotMarked(Begins):
    @step
    async def mend(self, ev: StepFailedEvent) -> StopEvent:
        return StopEvent()


class NoListReturned(Begins):
    @step
    async def gather(self, ev: list[Part]) -> StopEvent:
        return StopEvent()


class NeverMeet(Workflow):
    @step
    async def begin(self, ev: StartEvent) -> list[Part]:
        return []

    @step
    async def beside(self, ev: StartEvent) -> Odd:
        return Odd(n=0)

    @step
    async def join(self, part: Part, odd: Odd) -> StopEvent:
        return StopEvent()


class Island(Begins):
    @step
    async def one(self, ev: Odd) -> Done:
        return Done(n=0)

    @step
    async def other(self, ev: Done) -> Odd | StopEvent:
        return Odd(n=0)


class DeadEnd(Begins):
    @step
    async def around(self, ev: Part) -> Odd:
        return Odd(n=0)

    @step
    async def and_around(self, ev: Odd) -> Odd:
        return Odd(n=0)


WRONG: list[tuple[type[Workflow], list[str]]] = [
    (NoSteps, ["it has no steps: mark its methods with @step."]),
    (NoStart, ["no step takes a StartEvent, so nothing can begin."]),
    (TwoStarts, ["it can start with one type of StartEvent, not 2: StartEvent, OtherStart."]),
    (NoStop, ["no step gives a StopEvent, so it can never end."]),
    (TwoStates, ["its steps name types of state that do not fit: One, Two. There can be one, *"]),
    (NeedyState, ["its state, Needy, cannot begin: give defaults to a, b."]),
    (TakesStop, ["StopEvent ends the run: no step can take it (after)."]),
    (
        NeverProduced,
        [
            "Done is consumed but never produced: late waits for it, and no step names it in its "
            "return annotation.",
            "late is never started: nothing that a run begins with leads to Done.",
        ],
    ),
    (
        NeverConsumed,
        ["Done is produced but never consumed: more gives it, and no step takes it."],
    ),
    (
        TwoForAll,
        ["one step can catch the errors of all others, not one, other: name for_steps."],
    ),
    (NoSuchStep, ["mend catches the errors of 'wrok', and there is no such step."]),
    (HandlesHandlers, ["mend_more cannot catch the errors of mend, which catches errors."]),
    (HandlesItself, ["mend cannot catch the errors of mend, which catches errors."]),
    (HandledTwice, ["both one and other catch the errors of work."]),
    (NotMarked, ["mend takes a StepFailedEvent: mark it with @catch_error, not @step."]),
    (
        NoListReturned,
        [
            "gather collects a list of Part, and they come of no list that a step returns: "
            "annotate a return with list[...]."
        ],
    ),
    (
        NeverMeet,
        [
            "join waits for Part, Odd together, and they never meet: some come of a returned "
            "list, others do not. Collect that list first."
        ],
    ),
    (
        Island,
        [
            "one is never started: nothing that a run begins with leads to Odd.",
            "other is never started: nothing that a run begins with leads to Done.",
        ],
    ),
    (
        DeadEnd,
        [
            "around leads to no end: nothing that comes of Odd gives a StopEvent or asks a person.",
            "and_around leads to no end: nothing that comes of Odd gives a StopEvent or asks a "
            "person.",
        ],
    ),
]
"""A star stands for the names of types in any order."""
