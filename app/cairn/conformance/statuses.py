"""Cases of statuses: how a run stands, and why the run has ended."""

from cairn.conformance.case import case, expect
from cairn.conformance.committing import begun, commit
from cairn.conformance.comparing import expect_kept
from cairn.conformance.history import STOP
from cairn.conformance.records import ODD
from cairn.conformance.storage import Capability, KeptRun, Storage
from cairn.engine.core.records import Failure, Status
from cairn.engine.values.sealed import SealedEvent

FAILURES: tuple[tuple[Status, Failure], ...] = (
    ("failed", Failure("KeyError", "'the message', of\ntwo lines: é 漢字 🙂", "work")),
    ("failed", Failure("WorkflowTimeoutError", "no step of the run is to blame")),
    ("failed", Failure("Étrange", "", "étape")),
    ("cancelled", Failure("WorkflowCancelledByUser", "x" * 10_000)),
)


@case(Capability.STATUS)
async def a_status_alone_is_written(storage: Storage) -> None:
    """An append without records."""
    run, journal, history = await begun(storage)
    written = [history.begin()]
    await commit(journal, written)
    for status in ("waiting", "running", "waiting"):
        await commit(journal, [], status)
        expect_status(await storage.read(run), status)
    expect_kept(await storage.read(run), written)


@case(Capability.STATUS)
async def a_status_is_committed_with_the_records_before_it(storage: Storage) -> None:
    """The status is the one after the last record of the append."""
    run, journal, history = await begun(storage)
    await commit(journal, [history.begin()])
    expect_status(await storage.read(run), "running")
    await commit(journal, history.rounds(2), "waiting")
    expect_status(await storage.read(run), "waiting")
    await commit(journal, history.rounds(1), "running")
    expect_status(await storage.read(run), "running")


@case(Capability.STATUS)
async def a_failure_is_kept_with_its_type_message_and_step(storage: Storage) -> None:
    """Failures alone, and with records before them. The last checkpoint stays as it was.

    The longest message has 10,000 characters. A storage may cut a longer one, and replace the
    characters that databases have no room for: the zero byte, and halves of surrogate pairs.
    """
    for status, failure in FAILURES:
        for number in (0, 2):
            run, journal, history = await begun(storage)
            written = [history.begin()]
            await commit(journal, written)
            new = history.rounds(number)
            await commit(journal, new, status, failure)
            kept = await storage.read(run)
            expect_status(kept, status)
            expect(kept.failure == failure, f"{failure} came back as {kept.failure}")
            expect(kept.stopped is None, f"a run that has {status} came back with {kept.stopped}")
            expect_kept(kept, [*written, *new])


@case(Capability.STATUS)
async def the_stop_event_ends_the_run(storage: Storage) -> None:
    """The stop event of the last record is the run's own, and there is no failure."""
    for event in (STOP, SealedEvent("StopEvent", ODD)):
        run, journal, history = await begun(storage)
        written = [history.begin(), *history.rounds(1), history.stop(event)]
        await commit(journal, written[:1])
        await commit(journal, written[1:], "completed")
        kept = await storage.read(run)
        expect_status(kept, "completed")
        expect(kept.stopped == event, f"{event} has stopped the run, and came as {kept.stopped}")
        expect(kept.failure is None, f"a completed run came back with {kept.failure}")
        expect_kept(kept, written)


def expect_status(kept: KeptRun, status: Status) -> None:
    """Expect the run to stand so."""
    expect(kept.status == status, f"the status is {kept.status}, and {status} was committed")


CASES = (
    a_status_alone_is_written,
    a_status_is_committed_with_the_records_before_it,
    a_failure_is_kept_with_its_type_message_and_step,
    the_stop_event_ends_the_run,
)
