"""The events and failures of planned workflows, and the executions that tests count."""

from typing import Any

from cairn import (
    Event,
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StepFailedEvent,
)
from cairn.engine.core.facts import Caught
from cairn.engine.core.records import Record
from cairn.engine.values.sealed import BATCH, SealedEvent

Execution = tuple[str, str, int, int]
"""The step, and the type and the two numbers of its event: executions of equal events are equal.

For a list of events, the numbers are `n` of its first event, and its length.
"""


class Numbered(Event):
    """For piece, row or list `n` of the plan; `left` is the number of rounds left, or a value."""

    n: int
    left: int = 0


class Go(StartEvent):
    n: int = 0
    left: int = 0


class Work(Numbered):
    pass


class Narrow(Numbered):
    pass


class Shared(Numbered):
    """Taken by two steps."""


class Nut(Numbered):
    """Collected in a pattern with bolts."""


class Bolt(Numbered):
    pass


class Left(Numbered):
    """Joined with an event from the right."""


class Right(Numbered):
    pass


class Spread(Numbered):
    """Becomes a list, whose results are all collected."""


class Member(Numbered):
    pass


class Made(Numbered):
    pass


class Toss(Numbered):
    """Becomes a list, of whose results the first few are collected."""


class Coin(Numbered):
    pass


class Found(Numbered):
    pass


class Reply(Numbered):
    """Asks for the answer to piece `n`."""


class Done(Numbered):
    pass


class Question(InputRequiredEvent):
    n: int


class Answer(HumanResponseEvent):
    n: int


class Again(Exception):
    """An attempt fails; a later attempt succeeds."""


class Lost(Exception):
    """A step fails for good, and a handler catches the failure."""


class Broken(Exception):
    """A step fails for good, and the run with the step."""


def execution(name: str, *events: Event) -> Execution:
    """The execution of the step with one event, or with several."""
    event = events[0] if events else None
    if len(events) == 1 and event is not None:
        of = event.input_event if isinstance(event, StepFailedEvent) else event
        return name, type(event).__name__, of.n, of.left
    return name, BATCH, -1 if event is None else event.n, len(events)


def listed(name: str, events: list[Any]) -> Execution:
    """As `execution`, for a list of any length."""
    return name, BATCH, events[0].n if events else -1, len(events)


def recorded(record: Record) -> Execution | None:
    """The execution that the record completes, or whose failure it catches; `None` for others."""
    event, name = record.input_event, record.last_completed_step
    if event is None or (name is None and not isinstance(record.fact, Caught)):
        return None
    return (name or "member", event.type, *_numbers(event))


def _numbers(event: SealedEvent) -> tuple[int, int]:
    if event.type == BATCH:
        events = event.data["events"]
        return (events[0]["$value"]["n"] if events else -1), len(events)
    data = event.data["input_event"]["$value"] if event.type == "StepFailedEvent" else event.data
    return data["n"], data["left"]
