"""One writer: whoever inserts the next checkpoint has moved the run on, the other lets go."""

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from cairn import Event, StartEvent, StopEvent, Workflow, step
from cairn.engine.core.facts import Received, Sent
from cairn.engine.core.records import Failure, Status
from cairn.engine.ids import new_number
from cairn.engine.runtime.journal import HeadMoved
from cairn.engine.runtime.runner import Runner
from cairn.engine.values.sealed import SealedEvent
from cairn.store import checkpoints, claims, run_views, runs, workers
from cairn.store.clock import now
from cairn.store.database import Database
from cairn.store.facets import Filters
from cairn.store.journal import RunJournal
from cairn.store.run_filters import RunFilters
from cairn.store.tables import Run, Worker

START = SealedEvent("StartEvent", {})


class Single(Workflow):
    @step
    async def only(self, ev: StartEvent) -> StopEvent:
        return StopEvent(result="done")


class Round(Event):
    number: int


class Gate(Workflow):
    """Goes round, and stops for somebody to open."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.opened = asyncio.Event(), asyncio.Event()

    @step
    async def only(self, ev: StartEvent | Round) -> Round | StopEvent:
        number = ev.number + 1 if isinstance(ev, Round) else 1
        if number == 4:
            self.reached.set()
            await self.opened.wait()
        return StopEvent(result="done") if number == 7 else Round(number=number)


async def _started(database: Database) -> UUID:
    return await database.write(runs.start, "single", START, None, True, None)


async def _claimed(
    database: Database, run_id: UUID, workflow: Workflow | None = None
) -> tuple[Runner, runs.Claimed]:
    claimed = await database.write(claims.claim, run_id, {"single"})
    assert claimed is not None
    workflow = workflow or Single()
    journal = RunJournal(database, claimed, workflow.graph.routes)
    start = claimed.resume_point
    runner = Runner(workflow, journal, run_id, start.snapshot, start.head)
    for said in claimed.unread:
        runner.tell(Received(Sent(said.event)), said.id)
    return runner, claimed


@dataclass(frozen=True)
class Stopped:
    """A run that has left four checkpoints, and whose step stands at the gate."""

    id: UUID
    gate: Gate
    worker: UUID
    driven: "asyncio.Task[Status]"

    async def loses(self) -> None:
        """The gate opens, and nothing can be committed of what the step has done."""
        self.gate.opened.set()
        with pytest.raises(HeadMoved):
            await asyncio.wait_for(self.driven, 10)


async def _stopped(database: Database) -> Stopped:
    run_id, gate = await _started(database), Gate()
    runner, claimed = await _claimed(database, run_id, gate)
    driven = asyncio.create_task(runner.drive(stay=False))
    await asyncio.wait_for(gate.reached.wait(), 10)
    return Stopped(run_id, gate, claimed.worker, driven)


async def _goes_on(database: Database, run_id: UUID) -> None:
    """Somebody else carries it to its end."""
    gate = Gate()
    gate.opened.set()
    runner, _ = await _claimed(database, run_id, gate)
    assert await runner.drive(stay=False) == "completed"


async def test_of_two_workers_with_one_run_one_writes_and_the_other_lets_go(
    database: Database,
) -> None:
    run_id = await _started(database)
    (first, _), (second, _) = await _claimed(database, run_id), await _claimed(database, run_id)
    assert await first.drive(stay=False) == "completed"
    with pytest.raises(HeadMoved):
        await second.drive(stay=False)
    page = await database.read(checkpoints.of_run, run_id, Filters(), False, 50, None)
    assert [row.seq for row in page.items] == [1, 2]
    assert (await database.read(run_views.find, run_id)).status == "completed"


async def test_nothing_is_written_for_a_worker_that_others_have_taken_for_dead(
    database: Database, other: Database
) -> None:
    run_id = await _started(database)
    runner, claimed = await _claimed(database, run_id)
    [row] = await other.read(workers.others, other.worker)
    assert row.id == claimed.worker == database.worker
    assert not await other.write(workers.declare_dead, row.id, row.beats - 1), "it has moved since"
    assert await other.write(workers.declare_dead, row.id, row.beats)
    assert await other.read(claims.orphaned, {"single"}) == [(run_id, "single")]
    with pytest.raises(HeadMoved):
        await runner.drive(stay=False)
    found = await database.read(run_views.find, run_id)
    assert (found.status, found.checkpoint_count) == ("running", 0)
    assert database.worker not in (None, claimed.worker)
    taken_over, _ = await _claimed(other, run_id)
    assert await taken_over.drive(stay=False) == "completed"


async def test_a_step_that_completes_in_a_worker_that_was_taken_for_dead_leaves_nothing(
    database: Database, other: Database
) -> None:
    run = await _stopped(database)
    [row] = await other.read(workers.others, other.worker)
    assert await other.write(workers.declare_dead, run.worker, row.beats)
    await run.loses()
    assert (await database.read(run_views.find, run.id)).checkpoint_count == 4
    await _goes_on(other, run.id)
    assert (await database.read(run_views.find, run.id)).checkpoint_count == 8


async def test_a_worker_that_has_lost_count_of_its_commits_lets_go_and_begins_anew(
    database: Database, other: Database
) -> None:
    run = await _stopped(database)
    # As by a commit that came through after its connection was given up.
    late = update(Worker).where(col(Worker.id) == run.worker).values(beats=col(Worker.beats) + 1)
    await other.write(lambda session: session.connection().execute(late).rowcount)
    await run.loses()
    assert database.worker not in (None, run.worker)
    assert (await database.read(run_views.find, run.id)).checkpoint_count == 4


async def test_a_step_that_completes_in_a_run_that_has_moved_on_leaves_nothing(
    database: Database,
) -> None:
    run = await _stopped(database)
    await _goes_on(database, run.id)
    await run.loses()
    page = await database.read(checkpoints.of_run, run.id, Filters(), False, 50, None)
    assert [row.seq for row in page.items] == list(range(1, 9))


async def _taken_away(database: Database, run_id: UUID, **values: Any) -> None:
    """The run is no longer the worker's, which does not know it yet."""
    lost = update(Run).where(col(Run.id) == run_id).values(worker_id=None, **values)
    await database.write(lambda session: session.connection().execute(lost).rowcount)


@pytest.mark.parametrize("status", ["waiting", "failed", "running"])
async def test_a_worker_that_has_lost_a_run_cannot_write_how_it_stands(
    database: Database, status: Status
) -> None:
    run_id = await _started(database)
    _, claimed = await _claimed(database, run_id)
    ended = {"status": "completed", "finished_at": now(), "stop_event": b'{"type":"StopEvent"}'}
    await _taken_away(database, run_id, **ended)
    failure = Failure("Late", "it was lost") if status == "failed" else None
    with pytest.raises(HeadMoved):
        await RunJournal(database, claimed, Single().graph.routes).append([], status, failure)
    found = await database.read(lambda session: session.get_one(Run, run_id))
    assert (found.status, found.stop_event) == ("completed", ended["stop_event"])
    assert (found.error_type, found.waiting_for) == (None, None)


async def test_a_worker_that_has_lost_a_run_can_leave_no_checkpoint(database: Database) -> None:
    run = await _stopped(database)
    await _taken_away(database, run.id, status="cancelled")
    await run.loses()
    assert (await database.read(run_views.find, run.id)).checkpoint_count == 4


async def test_of_a_group_only_those_who_have_lost_their_runs_let_go(database: Database) -> None:
    lost, *kept = [await _stopped(database) for _ in range(12)]
    await _taken_away(database, lost.id)
    for run in kept:
        run.gate.opened.set()
    await lost.loses()
    assert {await run.driven for run in kept} == {"completed"}


async def test_a_worker_commits_on_after_it_has_lost_a_run(database: Database) -> None:
    run = await _stopped(database)
    worker = database.worker
    await _taken_away(database, run.id)
    await run.loses()
    await _started(database)
    assert database.worker == worker, "it was not taken for dead"


async def test_work_that_fails_takes_none_of_its_group_along(database: Database) -> None:
    def refuse(_: Any) -> None:
        raise KeyError("refused")

    started = [_started(database) for _ in range(20)]
    refused = [database.write(refuse) for _ in range(20)]
    works = [work for pair in zip(started, refused, strict=True) for work in pair]
    results = await asyncio.gather(*works, return_exceptions=True)
    assert all(isinstance(result, KeyError) for result in results[1::2])
    assert len(set(results[::2])) == 20
    page = await database.read(run_views.listed, RunFilters(), True, 50, None)
    assert {run.id for run in page.items} == set(results[::2])


async def test_ids_count_up_though_the_clock_of_the_one_before_was_ahead(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await _started(database)
    runner, _ = await _claimed(database, run_id)
    numbers = iter([new_number() + (1 << 90), new_number()])
    monkeypatch.setattr("cairn.engine.runtime.progress.new_number", lambda: next(numbers))
    assert await runner.drive(stay=False) == "completed"
    page = await database.read(checkpoints.of_run, run_id, Filters(), False, 50, None)
    first, second = (row.id for row in page.items)
    assert second.int == first.int + 1
