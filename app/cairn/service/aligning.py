"""Aligning: the checkpoints of two runs, side by side."""

from collections import Counter
from collections.abc import Set
from dataclasses import dataclass

from cairn.store.passages import Passage, Passed

Key = tuple[tuple[str | None, ...], int]
"""The step of a checkpoint, or the event types of another fact, and the occurrence in the run."""

Places = dict[Key, tuple[int, Passed]]
"""The checkpoints of a passage with their places, by key."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Checkpoints of two runs that correspond to one another; one of the two may be absent.

    Attributes:
        step: the step that completed; `None` for other facts.
        occurrence: the number of the checkpoint among those of the step in its run, from 1.
        one: the checkpoint of the one run.
        other: the checkpoint of the other run.
    """

    step: str | None
    occurrence: int
    one: Passed | None
    other: Passed | None

    @property
    def has_equal_inputs(self) -> bool:
        """True if both checkpoints are there, with equal input events."""
        if self.one is None or self.other is None:
            return False
        return self.one.input_event == self.other.input_event

    @property
    def has_equal_outputs(self) -> bool:
        """True if both checkpoints are there, with equal output events."""
        if self.one is None or self.other is None:
            return False
        return self.one.output_event == self.other.output_event

    @property
    def is_equal(self) -> bool:
        """True if both checkpoints are there, with equal events."""
        return self.has_equal_inputs and self.has_equal_outputs


def aligned(one: Passage, other: Passage) -> list[Pair]:
    """The checkpoints of two passages in pairs: a step's first with its first, and so on.

    Facts other than a step's completion are told apart by the types of their events. The pairs
    stand in the order of the one passage; a checkpoint that only the other passage has stands where
    its number there puts it.

    Args:
        one: the passage of the one run.
        other: the passage of the other run.
    """
    ours, theirs = _numbered(one), _numbered(other)
    common = ours.keys() & theirs.keys()
    found: list[tuple[int, int, Pair]] = []
    for key in common:
        place, checkpoint = ours[key]
        found.append((place, 0, _pair(key, checkpoint, theirs[key][1])))
    for key in _alone(ours, common, other):
        place, checkpoint = ours[key]
        found.append((place, 0, _pair(key, checkpoint, None)))
    for key in _alone(theirs, common, one):
        place, checkpoint = theirs[key]
        found.append((place, 1, _pair(key, None, checkpoint)))
    return [pair for _, _, pair in sorted(found, key=lambda it: it[:2])]


def _alone(places: Places, common: Set[Key], other: Passage) -> list[Key]:
    """The keys of the checkpoints that have no partner.

    If the other passage goes on, checkpoints behind the last pair are left out: their partners may
    be among those that were not read.
    """
    alone = [key for key in places if key not in common]
    if not other.has_more or not common:
        return alone
    last = max(places[key][0] for key in common)
    return [key for key in alone if places[key][0] < last]


def _numbered(passage: Passage) -> Places:
    numbers: Counter[tuple[str | None, ...]] = Counter()
    places: Places = {}
    for place, checkpoint in enumerate(passage.checkpoints):
        step = checkpoint.last_completed_step
        types = checkpoint.input_event_type, checkpoint.output_event_type
        name = (step,) if step is not None else (None, *types)
        numbers[name] += 1
        places[name, numbers[name]] = place, checkpoint
    return places


def _pair(key: Key, one: Passed | None, other: Passed | None) -> Pair:
    (step, *_), occurrence = key
    return Pair(step, occurrence, one, other)
