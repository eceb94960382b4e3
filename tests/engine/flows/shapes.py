"""The workflows that every rerun must get right, each with its result and its answers."""

from dataclasses import dataclass
from typing import Any

from cairn import Event, Workflow
from tests.engine.flows import lists
from tests.engine.flows.asking import (
    Answer,
    Approving,
    Asking,
    AskingTwice,
    CollectingAndAsking,
    WritingAndAsking,
)
from tests.engine.flows.list_members import (
    AskingMember,
    CaughtMember,
    FlakyMember,
    SendingMember,
    StoppingEarly,
)
from tests.engine.flows.lists import (
    Backwards,
    BatchesAtOnce,
    FewerThanTaken,
    FirstTwo,
    Halving,
    JoinedMembers,
    Nested,
    Nothing,
    TwoCollectors,
    TwoKinds,
)
from tests.engine.flows.sending import (
    Chain,
    Counting,
    Diamond,
    Equals,
    FanOut,
    Loop,
    Pairing,
    SlowFanOut,
)


@dataclass(frozen=True)
class Shape:
    """A workflow, the result of its runs, and the answers that a run is told."""

    workflow: type[Workflow]
    result: Any
    answers: tuple[Event, ...] = ()


SHAPES = [
    Shape(Chain, (6, ["begin", "double", "end"])),
    Shape(Loop, [3, 2, 1, 0]),
    Shape(FanOut, [0, 1, 2]),
    Shape(SlowFanOut, [0, 1, 2]),
    Shape(Counting, 3),
    Shape(Pairing, [(1, 1), (2, 2)]),
    Shape(Equals, 2),
    Shape(Diamond, [4, 5]),
    Shape(Asking, ["yes", 0, 1, 2], (Answer(word="yes"),)),
    Shape(AskingTwice, [0, 1, 2], (Answer(word="a", n=1), Answer(word="b", n=2))),
    Shape(CollectingAndAsking, ("yes", [0, 1, 2]), (Answer(word="yes"),)),
    Shape(WritingAndAsking, 4, (Answer(word="yes"),)),
    Shape(Approving, (True, "yes"), (Answer(word="yes"),)),
]

LISTS = [
    Shape(Backwards, [0, 1, 2, 3]),
    Shape(FirstTwo, 32),
    Shape(FewerThanTaken, [1, 3]),
    Shape(Nothing, 0),
    Shape(TwoKinds, [0, "one", 2, "three"]),
    Shape(TwoCollectors, (2, 4)),
    Shape(BatchesAtOnce, [[0, 1, 2], [10, 11, 12], [20, 21, 22]]),
    Shape(Nested, [0, 10, 41]),
    Shape(Halving, 15),
    Shape(JoinedMembers, [10, 111, 212]),
    Shape(AskingMember, ([10, 1, 12], 3), (lists.Answer(n=0), lists.Answer(n=2))),
    Shape(CaughtMember, [0, 301, 2]),
    Shape(FlakyMember, [0, 1, 2]),
    Shape(SendingMember, (202, 3)),
    Shape(StoppingEarly, 11),
]
