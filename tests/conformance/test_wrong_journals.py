"""The conformance suite can fail: each fault is found by the case that names the demand."""

import pytest

from cairn.conformance import CASES, Case
from cairn.conformance.case import expect
from tests.conformance import wrong
from tests.conformance.ledger import Ledger

FOUND_BY: dict[type[Ledger], str] = {
    wrong.ForgetsTheBuffers: "records come back equal and in order",
    wrong.DropsTheLastOfSeveral: (
        "several records of one append come back as those of several appends do"
    ),
    wrong.ForgetsTheTypesOfNumbers: "odd values come back as they were",
    wrong.CutsLongTexts: "large events and values come back equal",
    wrong.KeepsTheNewestTwoHundred: "a long history comes back at each of its checkpoints",
    wrong.MixesRuns: "runs apart do not mix",
    wrong.RerunsFromTheHead: "a rerun goes on from the checkpoint of another run",
    wrong.OpensAtTheFirstCheckpoint: "a journal goes on from a head that another has written",
    wrong.AnswersBeforeWriting: "a commit is kept once its future is done",
    wrong.WritesOneByOne: "several records of one append appear together",
    wrong.PromisesTooMuch: "a journal that commits at once is done when append returns",
    wrong.LosesTheRecordsWithAStatus: "a status alone leaves the records as they were",
    wrong.WritesHalfOfWhatIsCancelled: "a cancelled commit is whole or absent",
    wrong.LeavesNoRoomAfterACancel: "a run is taken up after a cancelled commit",
    wrong.WritesNoStatusAlone: "a status alone is written",
    wrong.WritesTheStatusBefore: "a status is committed with the records before it",
    wrong.ForgetsTheStep: "a failure is kept with its type message and step",
    wrong.ForgetsTheStopEvent: "the stop event ends the run",
    wrong.AcceptsASecondWriter: "the second writer of a seq is refused and leaves nothing",
    wrong.RaisesInsteadOfAnswering: "the second writer of a seq is refused and leaves nothing",
    wrong.WritesThePartThatIsFree: "records beyond a taken seq are refused with it",
    wrong.RefusesBoth: "of two writers at the same time exactly one writes",
    wrong.WritesAfterTheEnd: "a writer whose run has ended is refused",
    wrong.TrustsItsOwner: "a writer that has ended its run is refused",
    wrong.RefusesAllOfAGroup: "a refused commit takes no other run along",
    wrong.KnowsNoOwner: "a writer that has lost its run leaves no checkpoint",
    wrong.LetsTheLostWriteAStatus: "a writer that has lost its run writes no status",
    wrong.KeepsMessagesUnread: "a message is unread until a record consumes it",
    wrong.HearsBeforeItChecks: "a refused commit leaves its message unread",
}
BY_SENTENCE = {case.sentence: case for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_right_ledger_meets_everything(case: Case) -> None:
    await case.check(Ledger())


@pytest.mark.parametrize("fault", FOUND_BY, ids=lambda it: it.__name__)
async def test_a_fault_is_found_by_the_case_that_names_the_demand(fault: type[Ledger]) -> None:
    sentence = FOUND_BY[fault]
    with pytest.raises(AssertionError, match=f"^{sentence}: "):
        await BY_SENTENCE[sentence].check(fault())


def test_each_case_finds_a_fault() -> None:
    assert {*FOUND_BY.values()} == {*BY_SENTENCE}
    assert len(BY_SENTENCE) == len(CASES)


def test_an_unmet_demand_is_told_where_asserts_are_left_out() -> None:
    with pytest.raises(AssertionError, match="untrue"):
        expect(False, "untrue")
