"""The engine's journal, kept in the database: one fact, one transaction."""

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from cairn.engine.core.questions import open_questions
from cairn.engine.core.records import ENDED, Failure, Record, Status
from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Delivery, whole
from cairn.engine.language.retry import RetryInfo
from cairn.engine.values.sealed import SealedEvent
from cairn.store import appending, facets, questions
from cairn.store.appending import NO_WAITS, RunCommit, RunEnding, Waits, storable
from cairn.store.blobs import Packer
from cairn.store.clock import now
from cairn.store.database import Database
from cairn.store.facets import FacetValues
from cairn.store.questions import OpenQuestion
from cairn.store.run_views import Error, RunView
from cairn.store.runs import Claimed
from cairn.store.stored_facts import MAX_ID, is_told
from cairn.store.stream_entries import AT_ONCE, Row, StreamEntries

WHOLE_EVERY = 200
"""A later whole snapshot is written at a multiple of this `seq`.

The deltas since the last whole snapshot must come to twice the bytes of a new one by then. This
bounds the bytes to read for a snapshot, and the bytes to write for all whole snapshots.
"""


class RunJournal:
    """The journal of one run, in the database.

    Attributes:
        worker: the worker under whose id the journal writes.
        following: the next run of the context, which this worker has been given; `None` before
            the run has ended, and if no run waits there.
    """

    def __init__(
        self,
        database: Database,
        claimed: Claimed,
        routes: Routes,
        report: Callable[[Status], None] = lambda _: None,
        end: datetime | None = None,
    ) -> None:
        """Open the journal of a run that was claimed.

        Args:
            database: the database.
            claimed: the run's claim.
            routes: the routes of the run's workflow.
            report: called with the run's status after each commit.
            end: the moment by which the run must have ended, if there is one.
        """
        self.worker = claimed.worker
        self.following: UUID | None = None
        self._database = database
        self._run = claimed.run
        self._snapshot = claimed.resume_point.snapshot
        self._newest = claimed.resume_point.head.checkpoint
        self._status = claimed.run.status
        self._began = claimed.run.started_at
        self._is_stored = claimed.is_stored
        self._recoveries = claimed.recoveries
        self._open_since = {each.key: each.since for each in claimed.questions}
        self._waiting_for: Sequence[OpenQuestion] = ()
        self._routes = routes
        self._end_at = end
        self._report = report
        self._count = 0
        self._ended: tuple[datetime, SealedEvent | None, Failure | None] | None = None
        self._packer = Packer()
        seq = claimed.resume_point.head.seq
        self._stream = StreamEntries(self._packer, claimed.run.id, seq, claimed.stream_number)
        for id_, earlier in claimed.earlier.items():
            if earlier.is_new:
                number = earlier.retry.retry_number + earlier.interrupted
                self._stream.interrupted(self._snapshot.deliveries[id_], number, earlier.retry)
        self._told = claimed.before  # the status that was handed to the writer last
        self._trouble: Exception | None = None  # entries of the stream could not be committed
        self._flushing: Future[None] | None = None
        self._one_by_one = asyncio.Lock()  # entries are committed in the order of writing
        self._newest_id = MAX_ID  # the first of the ids that the newest checkpoint has given
        self._must_be_whole = claimed.resume_point.is_changed
        self._whole_bytes = claimed.resume_point.whole_bytes  # when one was last looked at
        self._delta_bytes = claimed.resume_point.delta_bytes  # since the last one

    def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> Future[Any]:
        """Commit the checkpoints and the status after them, all together.

        Args:
            records: the checkpoints, oldest first.
            status: the run's status after the last checkpoint.
            failure: the error of a failed or cancelled run.

        Returns:
            A future, done once all is committed. Its exception is `HeadMoved` if the run already
            has a checkpoint with such a `seq`, or is driven by another worker; `Unavailable` if
            the database was out of reach for too long.

        Raises:
            Unavailable: a new run cannot be stored now.
        """
        if self._trouble is not None or len(self._stream) > AT_ONCE:
            rest = self._append_behind(records, status, failure)
            return asyncio.get_running_loop().create_task(rest)
        return self._append(records, status, failure)

    def _append(
        self, records: Sequence[Record], status: Status, failure: Failure | None
    ) -> Future[Any]:
        """Commit the checkpoints, with the entries that the steps have written until then."""
        if records:
            self._snapshot = records[-1].snapshot
        commit = self._commit(self._stream.take(), records, status, failure)
        return self._database.commit(
            appending.append,
            commit,
            commit.weight,
            # A client still waits to hear that its new run is accepted.
            is_patient=self._is_stored,
            by_itself=appending.by_itself if commit.is_only_a_checkpoint else None,
            committed=partial(self._appended, commit, failure),
        )

    async def _append_behind(
        self, records: Sequence[Record], status: Status, failure: Failure | None
    ) -> Any:
        """Commit many entries some at a time, so that other runs go on, then the checkpoints.

        The entries that are there now come first. Those that steps go on writing meanwhile are
        committed with the checkpoints, since their positions are lower.
        """
        async with self._one_by_one:
            for _ in range(len(self._stream) // AT_ONCE):
                if self._trouble is None:
                    await self._commit_entries(self._stream.take(AT_ONCE))
            if self._trouble is not None:  # an entry is lost: what comes after it must not be kept
                raise self._trouble
            return await self._append(records, status, failure)

    # The stream

    def written(self, event: SealedEvent, delivery: Delivery, attempt: int) -> None:
        """Have an event committed that an attempt at a delivery has written to the stream."""
        self._stream.written(self._packer.event(event), delivery, attempt)
        self._flush_soon()

    def failed(
        self, delivery: Delivery, attempt: int, retry: RetryInfo, seconds: float | None
    ) -> Future[None]:
        """Have a failed attempt committed.

        Args:
            delivery: the delivery that the attempt was at.
            attempt: the number of the attempt.
            retry: the failed attempts so far, with the exception of this one.
            seconds: the pause before the next attempt; `None` if there is none.

        Returns:
            A future that is done once the attempt is committed, or once that has failed. In the
            latter case, the next commit of the run fails, too.
        """
        next_at = None if seconds is None else now() + timedelta(seconds=seconds)
        self._stream.failed(delivery, attempt, retry, next_at)
        return asyncio.shield(self._flush_soon())

    def _flush_soon(self) -> Future[None]:
        """Commit the entries in the next turn of the event loop, unless that is due already."""
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.get_running_loop().create_task(self._flush())
        return self._flushing

    async def _flush(self) -> None:
        while len(self._stream) and self._trouble is None and self._ended is None:
            async with self._one_by_one:
                await self._commit_entries(self._stream.take(AT_ONCE))

    async def _commit_entries(self, entries: list[Row]) -> None:
        if not entries:
            return
        commit = self._commit_of(entries)
        try:
            await self._database.commit(appending.append, commit, commit.weight, is_patient=True)
        except Exception as error:
            self._trouble = error
            return
        self._packer.stored(commit.blobs)
        self._report(self._status)

    def begin(self, records: Sequence[Record]) -> RunCommit:
        """The commit of the first checkpoints of a run, for a transaction that stores the run."""
        self._snapshot = records[-1].snapshot
        status: Status = "running" if self._snapshot.stopped is None else "completed"
        return self._commit([], records, status, None)

    def _appended(self, commit: RunCommit, failure: Failure | None, following: UUID | None) -> None:
        """Take note of a commit, before the run moves on: the next commit builds on this one."""
        self.following = following
        self._status, self._is_stored = commit.status, True
        self._recoveries = commit.recoveries
        self._packer.stored(commit.blobs)
        self._database.facets.update((each, facets.id_of(each)) for each in commit.facets)
        self._count += len(commit.rows)
        self._began = commit.began
        if commit.end is not None:
            self._ended = commit.moment, self._snapshot.stopped, failure
        self._report(commit.status)

    @property
    def commits_at_once(self) -> bool:
        """False: a commit takes time, and is shared."""
        return False

    @property
    def run_id(self) -> UUID:
        """The run's id."""
        return self._run.id

    @property
    def view(self) -> RunView | None:
        """The run as clients see it; `None` if the run had begun before its claim."""
        if self._run.start_event is None:
            return None
        finished, stopped, failure = self._ended or (None, None, None)
        return replace(
            self._run,
            status=self._status,
            waiting_for=self._waiting_for if self._status == "waiting" else (),
            checkpoint_count=self._count,
            started_at=self._began,
            finished_at=finished,
            stop_event=stopped,
            error=None
            if failure is None
            else Error(failure.type, storable(failure.message), failure.step),
        )

    def _commit(
        self,
        entries: list[Row],
        records: Sequence[Record],
        status: Status,
        failure: Failure | None,
    ) -> RunCommit:
        run, packer = self._run, self._packer
        moment = now()
        new_facets: list[FacetValues] = []
        rows = [self._row(record, moment, new_facets) for record in records]
        start_event = None if self._is_stored else packer.event(_start_event(run))
        end = self._end(failure) if status in ENDED else None
        begins = bool(records) or status == "running"
        recoveries = 0 if records else self._recoveries
        waits = self._waits(moment) if status == "waiting" else NO_WAITS
        if records:
            self._stream.moved(records[-1].seq)
        if status != self._told and "waiting" in (status, self._told) and status not in ENDED:
            self._stream.turned(status)
            entries += self._stream.take()
        self._told = status
        return RunCommit(
            run,
            self.worker,
            rows,
            # The start event is the run's own, and no message.
            [r.message for r in records if r.message is not None and r.message != run.id],
            new_facets,
            packer.gathered(),
            status,
            # Without a checkpoint, the update of the run's row proves that the run is the worker's.
            status != self._status or recoveries != self._recoveries or not records,
            recoveries,
            waits,
            start_event,
            self._began or (moment if begins else None),
            end,
            moment,
            entries,
        )

    def _commit_of(self, entries: list[Row]) -> RunCommit:
        """A commit of entries of the stream alone."""
        blobs = self._packer.gathered()
        return RunCommit(
            self._run,
            self.worker,
            [],
            [],
            [],
            blobs,
            self._told,
            False,
            self._recoveries,
            NO_WAITS,
            None,
            self._began,
            None,
            now(),
            entries,
        )

    def _waits(self, moment: datetime) -> Waits:
        """The run's wait: the moment at which the wait ends by itself, and the open questions."""
        routes, snapshot = self._routes, self._snapshot
        open_ = questions.timed(open_questions(routes, snapshot), self._open_since, moment)
        self._waiting_for = open_
        self._open_since = {each.key: each.since for each in open_}
        keeps = any(not routes[event.type].asks for event in snapshot.unclaimed.values())
        soon = moment if snapshot.is_busy else None
        until = [questions.first_deadline(open_), self._end_at, soon]
        first = min((moment for moment in until if moment is not None), default=None)
        return Waits(first, questions.write(self._packer, open_), keeps)

    def _end(self, failure: Failure | None) -> RunEnding:
        snapshot = self._snapshot
        stopped = None if snapshot.stopped is None else self._packer.event(snapshot.stopped)
        return RunEnding(stopped, failure, self._packer.state(snapshot.state))

    def _row(
        self, record: Record, moment: datetime, new_facets: list[FacetValues]
    ) -> dict[str, Any]:
        packer, taken, given = self._packer, record.input_event, record.output_event
        delta = packer.delta(record.delta)
        self._delta_bytes += len(delta)
        id_, parent = record.id, self._newest
        self._newest = id_
        return {
            "id": id_,
            "run_id": record.run,
            "seq": record.seq,
            "context_id": self._run.context_id,
            "facets_id": self._facets_id(record, new_facets),
            "parent_id": parent,
            "input_event": None if taken is None else packer.event(taken),
            "output_event": None if given is None else packer.event(given),
            "delta": delta,
            "whole": self._whole(record),
            "fact": self._fact(record),
            "created_at": moment,
            "worker": self.worker,
        }

    def _facets_id(self, record: Record, new: list[FacetValues]) -> int:
        """The id of the checkpoint's facets; facets not known to be stored are added to `new`."""
        taken, given = record.input_event, record.output_event
        values = (
            self._run.workflow,
            record.last_completed_step,
            None if taken is None else taken.type,
            None if given is None else given.type,
        )
        known = self._database.facets.get(values)
        if known is not None:
            return known
        new.append(FacetValues(*values))
        return facets.id_of(new[-1])

    def _fact(self, record: Record) -> bytes | None:
        """The fact, as a payload; `None` if `stored_facts.told` makes an equal one of the row.

        Such a fact tells nothing that a rerun could adopt: the event was pending at no checkpoint
        but the newest one.
        """
        newest, self._newest_id = self._newest_id, record.first_id
        if is_told(record, newest):
            return None
        return self._packer.fact(record.fact)

    def _whole(self, record: Record) -> bytes | None:
        """The whole snapshot, as a payload, if it is time for one: see `WHOLE_EVERY`."""
        is_first = record.seq == 1 or self._must_be_whole
        self._must_be_whole = False
        may_be = record.seq % WHOLE_EVERY == 0 and self._delta_bytes >= 2 * self._whole_bytes
        if not is_first and not may_be:
            return None
        written = self._packer.delta(whole(record.snapshot))
        self._whole_bytes = len(written)
        if not is_first and self._delta_bytes < 2 * len(written):
            return None
        self._delta_bytes = 0
        return written


def _start_event(run: RunView) -> SealedEvent:
    assert run.start_event is not None  # the claim of a run that is not stored has it
    return run.start_event
