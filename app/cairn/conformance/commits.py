"""Cases of commits: all or nothing, and answered when they have taken place."""

import asyncio
import time

from cairn.conformance.case import case, expect
from cairn.conformance.committing import SECONDS, answer, append, begun, commit
from cairn.conformance.comparing import expect_kept, expect_same
from cairn.conformance.history import History
from cairn.conformance.storage import Capability, Storage
from cairn.engine.core.records import Head
from cairn.engine.runtime.journal import HeadMoved

SEVERAL = 40  # records of one append


@case()
async def a_commit_is_kept_once_its_future_is_done(storage: Storage) -> None:
    """Nothing that follows from a record may begin before the record is safe."""
    run, journal, history = await begun(storage)
    written = [history.begin(), *history.rounds(5)]
    for number, record in enumerate(written, 1):
        await commit(journal, [record])
        expect_kept(await storage.read(run), written[:number])


@case()
async def several_records_of_one_append_appear_together(storage: Storage) -> None:
    """A reader amid the commit finds all of the append's records, or none."""
    run, journal, history = await begun(storage)
    written = [history.begin(), *history.rounds(SEVERAL)]
    future = append(journal, written)
    until = time.monotonic() + SECONDS
    while not future.done() and time.monotonic() < until:
        kept = await storage.read(run)
        expect_kept(kept, written if kept.checkpoints else [])
        await asyncio.sleep(0)  # a storage may read without giving way to its own commit
    expect(await answer(future) is None, "a commit at the head was refused")
    expect_kept(await storage.read(run), written)


@case()
async def a_journal_that_commits_at_once_is_done_when_append_returns(storage: Storage) -> None:
    """`commits_at_once` is a promise for every append, and stays the same."""
    _, journal, history = await begun(storage)
    promise = journal.commits_at_once
    expect(type(promise) is bool, f"`commits_at_once` is {promise!r}, and neither True nor False")
    for records in ([history.begin()], history.rounds(SEVERAL), []):
        future = append(journal, records, "running" if records else "waiting")
        is_done = future.done()
        expect(await answer(future) is None, "a commit at the head was refused")
        expect(is_done or not promise, "`commits_at_once` is True, and a future was not done")
        expect(journal.commits_at_once is promise, "`commits_at_once` has changed")


@case()
async def a_status_alone_leaves_the_records_as_they_were(storage: Storage) -> None:
    """An append without records is a commit of its own."""
    run, journal, history = await begun(storage)
    written = [history.begin(), *history.rounds(2)]
    await commit(journal, written)
    await commit(journal, [], "waiting")
    await commit(journal, [], "running")
    expect_kept(await storage.read(run), written)
    more = history.rounds(1)
    await commit(journal, more)
    expect_kept(await storage.read(run), [*written, *more])


@case()
async def a_cancelled_commit_is_whole_or_absent(storage: Storage) -> None:
    """A future that is cancelled in the turn of its append, before the commit can have begun."""
    run, journal, history = await begun(storage)
    first, new = history.begin(), history.rounds(SEVERAL)
    await commit(journal, [first])
    append(journal, new).cancel()
    for _ in range(3):
        kept = await storage.read(run)
        is_whole = len(kept.checkpoints) > 1
        expect_kept(kept, [first, *new] if is_whole else [first])
        _, other, beside = await begun(storage)
        await commit(other, [beside.begin()])


@case(Capability.SHARED)
async def a_run_is_taken_up_after_a_cancelled_commit(storage: Storage) -> None:
    """The next journal finds the cancelled records whole or absent, and one of the two goes on."""
    run, journal, history = await begun(storage)
    first = history.begin()
    before, new = history.snapshot, history.rounds(SEVERAL)
    await commit(journal, [first])
    append(journal, new).cancel()
    opened = await storage.open(run)
    is_whole = opened.head != Head(first.id, first.seq)
    expect_same(opened.snapshot, history.snapshot if is_whole else before)
    again = History.on(run, opened)
    more = again.rounds(1)
    error = await answer(append(opened.journal, more))
    kept = await storage.read(run)
    if error is None:
        expect_kept(kept, [first, *(new if is_whole else ()), *more])
    else:  # the cancelled commit was first
        expect(isinstance(error, HeadMoved), f"a run that is taken up came to {error!r}")
        expect_kept(kept, [first, *new])


CASES = (
    a_commit_is_kept_once_its_future_is_done,
    several_records_of_one_append_appear_together,
    a_journal_that_commits_at_once_is_done_when_append_returns,
    a_status_alone_leaves_the_records_as_they_were,
    a_cancelled_commit_is_whole_or_absent,
    a_run_is_taken_up_after_a_cancelled_commit,
)
