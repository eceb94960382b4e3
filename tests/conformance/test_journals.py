"""Every journal there is meets the demands of the conformance suite."""

from collections.abc import Iterator, Mapping

import pytest

from cairn.conformance import CASES, Capability, Case, Storage, applying, not_applying
from cairn.store.database import Database
from tests.conformance.memory import Memory
from tests.conformance.stored import OneProcess, StoredWithTheFirstFact, TwoProcesses
from tests.databases import KINDS, of_kind

Processes = tuple[Database, Database]
NOT_BEFORE_A_FACT = (Capability.SHARED, Capability.OWNED, Capability.MESSAGES)


@pytest.fixture(scope="module", params=KINDS)
def processes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Processes]:
    """Two processes on one database, which all cases share: each begins runs of its own."""
    with of_kind(request.param, request, tmp_path_factory.mktemp("conformance")) as url:
        both = Database(url), Database(url)
        for database in both:
            database.open()
        yield both
        for database in both:
            database.close()


def without(*lacking: Capability) -> list[Case]:
    """The cases that apply to a storage without these capabilities."""
    return [case for case in CASES if case.needs.isdisjoint(lacking)]


def as_declared(storage: Storage, case: Case) -> Storage:
    """The storage, whose own declaration has the case apply."""
    assert case in applying(storage)
    assert {*applying(storage), *not_applying(storage)} == {*CASES}
    return storage


@pytest.mark.parametrize("case", without(*Capability), ids=str)
async def test_a_journal_in_memory_meets_what_applies_to_it(case: Case) -> None:
    await case.check(as_declared(Memory(), case))


@pytest.mark.parametrize("case", without(Capability.OWNED), ids=str)
async def test_two_journals_of_one_worker_meet_all_but_a_change_of_owners(
    case: Case, processes: Processes
) -> None:
    await case.check(as_declared(OneProcess(processes[0]), case))


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_journals_of_two_workers_meet_everything(case: Case, processes: Processes) -> None:
    await case.check(as_declared(TwoProcesses(*processes), case))


@pytest.mark.parametrize("case", without(*NOT_BEFORE_A_FACT), ids=str)
async def test_a_run_stored_with_its_first_fact_meets_what_needs_no_other_process(
    case: Case, processes: Processes
) -> None:
    await case.check(as_declared(StoredWithTheFirstFact(processes[0]), case))


def test_the_cases_that_do_not_apply_to_memory_are_named_with_their_reasons() -> None:
    left_out = not_applying(Memory())
    assert set(left_out) == set(CASES) - set(without(*Capability))
    for case, reasons in left_out.items():
        assert all(Memory().lacks[it] in reasons for it in case.needs), case


def test_a_lack_without_a_reason_is_refused() -> None:
    class Silent(Memory):
        @property
        def lacks(self) -> Mapping[Capability, str]:
            return {Capability.SHARED: " "}

    with pytest.raises(ValueError, match="lacks SHARED, and does not say why"):
        applying(Silent())
