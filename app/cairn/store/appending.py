"""Appending: the checkpoints of many runs, written by a few statements."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    Connection,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal_column,
    null,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from cairn.engine.core.records import Failure, Status
from cairn.engine.runtime.journal import HeadMoved
from cairn.store import blobs, facets, statements
from cairn.store.facets import FacetValues
from cairn.store.rows import CHECKPOINTS, CONTEXTS, MESSAGES, RUNS, STREAM, UNDER_WAY, run_row
from cairn.store.run_views import RunView
from cairn.store.workers import BEAT, WORKERS

LONGEST_MESSAGE = 10_000  # characters of an error's message

WAITS = (RUNS.c.status == "queued", RUNS.c.worker_id.is_(None))  # for a turn in its context

# Made once: these statements are part of very many transactions.
QUEUED = select(RUNS.c.context_id).where(*WAITS).distinct()
ADD, ADD_RUN, ADD_CONTEXT = insert(CHECKPOINTS), insert(RUNS), insert(CONTEXTS)
ADD_STREAM = insert(STREAM)
IS_OWN = exists().where(
    RUNS.c.id == bindparam("run_id", type_=RUNS.c.id.type), RUNS.c.worker_id == WORKERS.c.id
)
ADD_AND_BEAT = insert(CHECKPOINTS).from_select(
    list(CHECKPOINTS.c),
    select(*(bindparam(column.name, type_=column.type) for column in CHECKPOINTS.c)).select_from(
        BEAT.where(IS_OWN).returning(WORKERS.c.id).cte("beat")
    ),
)
DELETE_READ = delete(MESSAGES).where(MESSAGES.c.id == bindparam("message"))
MOVE = (
    update(RUNS)
    .where(RUNS.c.id == bindparam("run"), RUNS.c.worker_id == bindparam("own"))
    .values(
        status=bindparam("now"),
        started_at=bindparam("began"),
        recoveries=bindparam("died"),
        wakes_at=bindparam("wakes"),
        keeps_events=bindparam("keeps"),
        waiting_for=bindparam("waits"),
    )
)
FINISH = MOVE.values(
    worker_id=null(),
    is_to_cancel=False,
    recoveries=literal_column("0"),
    wakes_at=null(),
    keeps_events=False,
    waiting_for=null(),
    finished_at=bindparam("ended"),
    stop_event=bindparam("stop"),
    error_type=bindparam("type"),
    error_message=bindparam("message"),
    error_step=bindparam("step"),
)
OWN = (
    select(func.count())
    .select_from(RUNS)
    .where(RUNS.c.worker_id == bindparam("worker", type_=RUNS.c.id.type))
)
LEAVE = (
    update(CONTEXTS).where(CONTEXTS.c.id == bindparam("context")).values(state=bindparam("left"))
)


_LOST = "The run is driven by another worker, or has ended."


class RunEnding(NamedTuple):
    """The end of a run, as its row tells it.

    Attributes:
        stop_event: the event that ended the run, as a payload.
        failure: the error that ended the run.
        state: the state that the run leaves in its context, as a payload.
    """

    stop_event: bytes | None
    failure: Failure | None
    state: bytes


class Waits(NamedTuple):
    """The wait of a run, as its row tells it.

    Attributes:
        until: the first moment at which the run goes on without an answer; `None` for never.
        questions: the questions that the run waits on, as a payload.
        keeps_events: whether the run holds events that no step took.
    """

    until: datetime | None = None
    questions: bytes | None = None
    keeps_events: bool = False


NO_WAITS = Waits()


@dataclass(slots=True)
class RunCommit:
    """The checkpoints of one run that are written together, or not at all.

    Attributes:
        run: the run, as it was claimed.
        worker: the worker that drives the run.
        rows: the rows of the checkpoints, oldest first.
        read: the ids of the messages that have become a checkpoint.
        facets: the facets that may not be stored yet.
        blobs: the blobs, by digest, that may not be stored yet.
        status: the run's status after the last checkpoint.
        has_changed: whether the run's row is written, too.
        recoveries: the number of workers that have died driving the run since its last checkpoint.
        waits: the run's wait; `NO_WAITS` unless the status is `waiting`.
        start_event: the start event of a run that is not stored yet, as a payload; neither is the
            run's context then.
        began: the moment at which the run began, if it has begun.
        end: the run's end, if it has ended.
        moment: the moment of the checkpoints.
        stream: the rows of the stream's entries.
    """

    run: RunView
    worker: UUID
    rows: list[dict[str, Any]]
    read: list[UUID]
    facets: list[FacetValues]
    blobs: dict[bytes, bytes]
    status: Status
    has_changed: bool
    recoveries: int
    waits: Waits
    start_event: bytes | None
    began: datetime | None
    end: RunEnding | None
    moment: datetime
    stream: list[dict[str, Any]]

    @property
    def weight(self) -> int:
        """The bytes to write, roughly."""
        rows = 1_000 * len(self.rows) + 300 * len(self.stream)
        return rows + sum(map(len, self.blobs.values()))

    @property
    def is_only_a_checkpoint(self) -> bool:
        """True if the commit inserts one row, and does nothing else."""
        return len(self.rows) == 1 and not (
            self.read
            or self.facets
            or self.blobs
            or self.has_changed
            or self.start_event
            or self.stream
        )


def by_itself(connection: Connection, worker: UUID, beats: int, commit: RunCommit) -> bool:
    """Commit one checkpoint, and beat, by a single statement on PostgreSQL.

    A step of a run that goes on alone takes half the time of a transaction of four statements.
    SQLite knows no such statement.

    Args:
        connection: a connection outside of any transaction.
        worker: the worker of this process.
        beats: as in `workers.beat`.
        commit: a commit that is only a checkpoint.

    Returns:
        True if the checkpoint is committed; otherwise nothing is written.
    """
    if commit.worker != worker or connection.dialect.name != "postgresql":
        return False
    row = commit.rows[0] | {"beaten": beats}
    return statements.execute(connection, ADD_AND_BEAT, [row]) == 1


def append(
    connection: Connection, worker: UUID | None, commits: Sequence[RunCommit]
) -> list[UUID | HeadMoved | None]:
    """Write the commits of several runs.

    Args:
        connection: a connection within the transaction.
        worker: the worker of this process.
        commits: one for each run.

    Returns:
        For each commit, the run whose turn in the context is next, if the run has ended; or
        `HeadMoved` for a run of another worker, for which nothing is written.

    Raises:
        HeadMoved: one of the runs has been taken over, or has a checkpoint with such a `seq`. The
            transaction must be rolled back.
    """
    ours = [commit for commit in commits if commit.worker == worker]
    new = [commit for commit in ours if commit.start_event is not None]
    if new:
        statements.insert(connection, ADD_CONTEXT, [_context(commit) for commit in new])
        statements.insert(connection, ADD_RUN, [_new_run(commit) for commit in new])
    facets.store(connection, {values for commit in ours for values in commit.facets})
    blobs.store(connection, _owned(ours))
    _check_own(connection, ours)
    _add_checkpoints(connection, ours)
    stream = [row for commit in ours for row in commit.stream]
    if stream:
        statements.insert(connection, ADD_STREAM, stream)
    read = [{"message": message} for commit in ours for message in commit.read]
    if read:
        statements.execute(connection, DELETE_READ, read)
    _update_runs(connection, ours)
    ended = {commit.run.context_id for commit in ours if commit.end is not None}
    following = _hand_on(connection, worker, ended) if worker is not None else {}
    return [
        following.get(commit.run.context_id) if commit.worker == worker else HeadMoved(_LOST)
        for commit in commits
    ]


def _check_own(connection: Connection, commits: Sequence[RunCommit]) -> None:
    """Check that all the runs are still the worker's.

    A worker may have lost a run without knowing so. Within this transaction no run can be lost:
    another process must first declare this worker dead, and that waits for the transaction's
    beat. The runs are counted by one query of an index, which costs a step of 64 runs at once
    some 3 %; a condition within each INSERT costs 5 %. Runs whose rows are updated are counted by
    that update instead.
    """
    untouched = {
        commit.run.id: None
        for commit in commits
        if not commit.has_changed and commit.start_event is None
    }
    if untouched:
        worker = commits[0].worker
        counts = statements.look_up(connection, OWN, RUNS.c.id, list(untouched), worker=worker)
        _all_own(sum(number for (number,) in counts), untouched)


def _add_checkpoints(connection: Connection, commits: Sequence[RunCommit]) -> None:
    rows = [row for commit in commits for row in commit.rows]
    if not rows:
        return
    try:
        statements.insert(connection, ADD, rows)
    except IntegrityError as error:
        raise HeadMoved(f"Run {commits[0].run.id} has moved on.") from error


def _all_own(number: int, wanted: Collection[object]) -> None:
    if number != len(wanted):
        raise HeadMoved(_LOST)


def _owned(commits: Iterable[RunCommit]) -> dict[UUID, dict[bytes, bytes]]:
    owned: dict[UUID, dict[bytes, bytes]] = {}
    for commit in commits:
        if commit.blobs:
            owned.setdefault(commit.run.id, {}).update(commit.blobs)
    return owned


def _update_runs(connection: Connection, commits: Iterable[RunCommit]) -> None:
    """Write the status of the runs, and the states that ended runs leave.

    The rows are taken in the order of their ids: two transactions that take rows in different
    orders can lock each other out.
    """
    changed = [commit for commit in commits if commit.has_changed]
    changed.sort(key=lambda commit: commit.run.id)
    moved = [
        _status(commit) for commit in changed if commit.end is None and commit.start_event is None
    ]
    if moved:
        _all_own(statements.execute(connection, MOVE, moved), moved)
    ended = [(commit, commit.end) for commit in changed if commit.end is not None]
    if ended:
        rows = [_status(commit) | _ending(commit, end) for commit, end in ended]
        _all_own(statements.execute(connection, FINISH, rows), rows)
        leave_states(connection, {commit.run.context_id: end.state for commit, end in ended})


def leave_states(connection: Connection, states: Mapping[UUID, bytes]) -> None:
    """Write the state, as a payload, of each of the contexts."""
    rows = [{"context": context, "left": state} for context, state in sorted(states.items())]
    statements.execute(connection, LEAVE, rows)
    digests = {context: blobs.digests_in([state]) for context, state in states.items()}
    blobs.refer_only(connection, digests)


def _context(commit: RunCommit) -> dict[str, Any]:
    run = commit.run
    moment = run.created_at
    return {"id": run.context_id, "workflow": run.workflow, "state": None, "created_at": moment}


def _new_run(commit: RunCommit) -> dict[str, Any]:
    run = commit.run
    return run_row(
        run.id,
        run.workflow,
        run.context_id,
        commit.start_event,
        commit.worker,
        run.created_at,
        status=commit.status,
        started_at=commit.began,
    )


def _status(commit: RunCommit) -> dict[str, Any]:
    return {
        "run": commit.run.id,
        "own": commit.worker,
        "now": commit.status,
        "began": commit.began,
        "died": commit.recoveries,
        "wakes": commit.waits.until,
        "waits": commit.waits.questions,
        "keeps": commit.waits.keeps_events,
    }


def _ending(commit: RunCommit, end: RunEnding) -> dict[str, Any]:
    failure = end.failure
    return {
        "ended": commit.moment,
        "stop": end.stop_event,
        "type": None if failure is None else failure.type,
        "message": None if failure is None else storable(failure.message),
        "step": None if failure is None else failure.step,
    }


def _hand_on(connection: Connection, worker: UUID, contexts: set[UUID]) -> dict[UUID, UUID]:
    """Give the worker the oldest queued run of each context, unless a run is under way there.

    Returns:
        The run that the worker was given, by context.
    """
    if not contexts:
        return {}
    following: dict[UUID, UUID] = {}
    queued = statements.look_up(connection, QUEUED, RUNS.c.context_id, list(contexts))
    for (context,) in queued:
        under_way = RUNS.c.started_at.is_not(None) & RUNS.c.status.in_(UNDER_WAY)
        of_context = RUNS.c.context_id == context
        if connection.scalar(select(RUNS.c.id).where(of_context, under_way).limit(1)) is None:
            first = select(RUNS.c.id).where(of_context, *WAITS).order_by(RUNS.c.id).limit(1)
            following[context] = connection.execute(first).scalar_one()
    for run in following.values():
        connection.execute(update(RUNS).where(RUNS.c.id == run).values(worker_id=worker))
    return following


def storable(text: str) -> str:
    """The text as any database takes it: of bounded length, valid Unicode, without a NUL.

    PostgreSQL has no room for a NUL in a text.
    """
    return text[:LONGEST_MESSAGE].encode(errors="replace").decode().replace("\0", "?")
