"""Cases of several writers on one run: the first commit of a `seq` counts, and no other."""

from cairn.conformance.case import case, expect
from cairn.conformance.committing import answer, append, begun, commit, refuse
from cairn.conformance.comparing import expect_kept
from cairn.conformance.history import History
from cairn.conformance.storage import Capability, Storage
from cairn.engine.core.records import Failure, Status
from cairn.engine.runtime.journal import HeadMoved

LOST = Failure("Late", "the run was lost before")
AFTER_THE_END: tuple[tuple[Status, Failure | None], ...] = (
    ("waiting", None),
    ("failed", LOST),
    ("running", None),
)


@case(Capability.SHARED)
async def the_second_writer_of_a_seq_is_refused_and_leaves_nothing(storage: Storage) -> None:
    """The writer that was opened first comes second."""
    run, earlier, history = await begun(storage)
    opened = await storage.open(run)
    later = History.on(run, opened)
    written = [later.begin(), *later.rounds(1)]
    await commit(opened.journal, written)
    before = await storage.read(run)
    await refuse(earlier, [history.begin()], "failed", LOST)
    kept = await storage.read(run)
    expect_kept(kept, written)
    expect(kept == before, f"a refused commit has left {kept[1:]}, where {before[1:]} was")


@case(Capability.SHARED)
async def records_beyond_a_taken_seq_are_refused_with_it(storage: Storage) -> None:
    """An append of three records, the first of which is taken."""
    run, earlier, history = await begun(storage)
    first = history.begin()
    await commit(earlier, [first])
    opened = await storage.open(run)
    written = History.on(run, opened).rounds(1)
    await commit(opened.journal, written)
    await refuse(earlier, history.rounds(3))
    expect_kept(await storage.read(run), [first, *written])


@case(Capability.SHARED)
async def of_two_writers_at_the_same_time_exactly_one_writes(storage: Storage) -> None:
    """Two appends in one turn of the event loop."""
    run, earlier, history = await begun(storage)
    opened = await storage.open(run)
    later = History.on(run, opened)
    written = [history.begin(), *history.rounds(1)], [later.begin(), *later.rounds(2)]
    journals = earlier, opened.journal
    futures = [append(it, new) for it, new in zip(journals, written, strict=True)]
    errors = [await answer(future) for future in futures]
    refused = [isinstance(error, HeadMoved) for error in errors]
    expect(sorted(refused) == [False, True], f"two commits of one `seq` came to {errors}")
    expect(errors[refused.index(False)] is None, f"two commits of one `seq` came to {errors}")
    expect_kept(await storage.read(run), written[refused.index(False)])


@case(Capability.SHARED)
async def a_writer_whose_run_has_ended_is_refused(storage: Storage) -> None:
    """The end left no record, so the next `seq` is free."""
    for status, failure in AFTER_THE_END:
        run, earlier, history = await begun(storage)
        first = history.begin()
        await commit(earlier, [first])
        opened = await storage.open(run)
        await commit(opened.journal, [], "failed", Failure("KeyError", "the end", "work"))
        ended = await storage.read(run)
        await refuse(earlier, history.rounds(1) if status == "running" else [], status, failure)
        kept = await storage.read(run)
        expect_kept(kept, [first])
        expect(kept == ended, f"a refused commit has left {kept[1:]}, where {ended[1:]} was")


@case(Capability.SHARED)
async def a_writer_that_has_ended_its_run_is_refused(storage: Storage) -> None:
    """The same journal, after its own end."""
    run, journal, history = await begun(storage)
    first = history.begin()
    await commit(journal, [first])
    await commit(journal, [], "cancelled", Failure("WorkflowCancelledByUser", "the end"))
    ended = await storage.read(run)
    await refuse(journal, history.rounds(1))
    kept = await storage.read(run)
    expect_kept(kept, [first])
    expect(kept == ended, f"a refused commit has left {kept[1:]}, where {ended[1:]} was")


@case(Capability.SHARED)
async def a_refused_commit_takes_no_other_run_along(storage: Storage) -> None:
    """Appends of several runs in one turn of the event loop, which a storage may put together."""
    runs = [await begun(storage) for _ in range(8)]
    firsts = [history.begin() for _, _, history in runs]
    for first, (_, journal, _) in zip(firsts, runs, strict=True):
        await commit(journal, [first])
    lost, _, _ = runs[3]
    opened = await storage.open(lost)
    taken = History.on(lost, opened).rounds(1)
    await commit(opened.journal, taken)
    new = [history.rounds(2) for _, _, history in runs]
    futures = [append(it, records) for records, (_, it, _) in zip(new, runs, strict=True)]
    errors = [await answer(future) for future in futures]
    expect(isinstance(errors[3], HeadMoved), f"an overtaken commit came to {errors[3]!r}")
    expect(errors.count(None) == len(runs) - 1, f"one overtaken commit of eight made {errors}")
    for first, records, (run, _, _) in zip(firsts, new, runs, strict=True):
        expect_kept(await storage.read(run), [first, *(taken if run == lost else records)])


@case(Capability.SHARED, Capability.OWNED)
async def a_writer_that_has_lost_its_run_leaves_no_checkpoint(storage: Storage) -> None:
    """The next `seq` is free: the new writer has written nothing yet."""
    run, earlier, history = await begun(storage)
    first = history.begin()
    await commit(earlier, [first])
    opened = await storage.open(run)
    await refuse(earlier, history.rounds(1))
    expect_kept(await storage.read(run), [first])
    written = History.on(run, opened).rounds(1)
    await commit(opened.journal, written)
    expect_kept(await storage.read(run), [first, *written])


@case(Capability.SHARED, Capability.OWNED)
async def a_writer_that_has_lost_its_run_writes_no_status(storage: Storage) -> None:
    """Neither that the run waits, nor that the run has failed."""
    for status, failure in AFTER_THE_END:
        run, earlier, history = await begun(storage)
        first = history.begin()
        await commit(earlier, [first])
        await storage.open(run)
        before = await storage.read(run)
        await refuse(earlier, [], status, failure)
        kept = await storage.read(run)
        expect_kept(kept, [first])
        expect(kept == before, f"a refused commit has left {kept[1:]}, where {before[1:]} was")


CASES = (
    the_second_writer_of_a_seq_is_refused_and_leaves_nothing,
    records_beyond_a_taken_seq_are_refused_with_it,
    of_two_writers_at_the_same_time_exactly_one_writes,
    a_writer_whose_run_has_ended_is_refused,
    a_writer_that_has_ended_its_run_is_refused,
    a_refused_commit_takes_no_other_run_along,
    a_writer_that_has_lost_its_run_leaves_no_checkpoint,
    a_writer_that_has_lost_its_run_writes_no_status,
)
