"""Aligning: a step's first checkpoint beside its first, also where passages are cut short."""

from cairn.engine.ids import new_id
from cairn.service.aligning import aligned
from cairn.store.passages import Passage, Passed

RUN = new_id()


def passed(seq: int, step: str) -> Passed:
    return Passed(new_id(), RUN, seq, step or None, None, step or "Said", None, step.encode(), None)


def passage(steps: str, *, has_more: bool = False) -> Passage:
    """A passage through steps of one letter; a dash is an event from outside."""
    letters = steps.replace("-", "\0")
    made = [passed(seq, letter.strip("\0")) for seq, letter in enumerate(letters, 1)]
    return Passage(made, has_more)


def shown(one: Passage, other: Passage) -> list[str]:
    """The pairs, each as the step, the occurrence, and the `seq` of both or a dash."""
    return [
        f"{pair.step or '-'}{pair.occurrence} "
        f"{pair.one.seq if pair.one else '-'} {pair.other.seq if pair.other else '-'}"
        for pair in aligned(one, other)
    ]


def test_steps_are_paired_by_their_occurrence_in_the_order_of_the_one_passage() -> None:
    assert shown(passage("-aab"), passage("-aba")) == ["-1 1 1", "a1 2 2", "a2 3 4", "b1 4 3"]


def test_a_checkpoint_without_a_partner_stands_at_its_own_number() -> None:
    assert shown(passage("axb"), passage("ayyb")) == [
        "a1 1 1",
        "x1 2 -",
        "y1 - 2",
        "b1 3 4",
        "y2 - 3",
    ]


def test_a_partner_that_was_not_read_is_not_taken_for_absent() -> None:
    cut = passage("xababa", has_more=True)
    assert shown(cut, passage("ababab", has_more=True)) == [
        "x1 1 -",
        "a1 2 1",
        "b1 3 2",
        "a2 4 3",
        "b2 5 4",
        "a3 6 5",
    ]
    assert shown(passage("xababa"), passage("ababab"))[-1] == "b3 - 6"


def test_passages_with_nothing_in_common_are_shown_as_they_are() -> None:
    assert shown(passage("ab", has_more=True), passage("c", has_more=True)) == [
        "a1 1 -",
        "c1 - 1",
        "b1 2 -",
    ]
