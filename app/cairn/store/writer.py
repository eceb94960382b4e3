"""The writer: one thread for all commits (group commit)."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlmodel import Session

from cairn.errors import Refusal, Unavailable
from cairn.store import workers
from cairn.store.connecting import (
    described,
    described_for_clients,
    for_writing,
    is_clash,
    is_out_of_reach,
)

log = structlog.get_logger(__name__)

GROUP, GROUP_BYTES = 256, 8_000_000  # of works that share a transaction, at most
FIRST_DELAY, LONGEST_DELAY = 0.05, 1.0  # seconds between two tries
STALL_SECONDS = 5.0  # of a commit, before it is taken for trouble
MOST_CLASHES = 5  # of one work with other processes, in a row
BEATS = 3  # within the lease, after which a worker that does not beat is taken for dead

Item = TypeVar("Item")
Outcome = Any
"""The result of a work, or the exception that the work has raised."""

Function = Callable[[Connection, UUID | None, Sequence[Item]], Sequence[Outcome]]
ByItself = Callable[[Connection, UUID, int, Item], bool]


@dataclass(slots=True, eq=False)
class Work:
    """An item to be committed.

    Attributes:
        function: takes a connection, the worker and the items of all the works that share the
            function, and returns the outcome of each. It must be repeatable.
        item: the item.
        weight: the bytes to write, roughly.
        is_patient: whether the work waits for a database that is out of reach.
        done: the future of the outcome.
        by_itself: commits a lone item, and beats, by one statement. It takes a connection, the
            worker, the number of the worker's commits before and the item, and returns whether
            the item is committed.
        committed: called in the event loop with the outcome of a commit, before `done` is
            resolved; not called if the outcome is an exception, or if `done` was cancelled.
    """

    function: "Function[Any]"
    item: Any
    weight: int
    is_patient: bool
    done: "asyncio.Future[Any]"
    by_itself: "ByItself[Any] | None" = None
    committed: Callable[[Any], None] | None = None


class Writer:
    """Takes works from a queue, and commits all that are queued in one transaction.

    Attributes:
        worker: the worker of this process; `None` for a process that drives no runs.
    """

    def __init__(
        self,
        engine: Engine,
        wait_seconds: float,
        lease_seconds: float,
        is_stuck: Callable[[], bool],
    ) -> None:
        self.worker: UUID | None = None
        self._trouble: str | None = None
        self._logged: str | None = None
        self._busy_since: float | None = None
        self._engine = engine
        self._is_stuck = is_stuck
        self._wait_seconds = wait_seconds
        self._beat_seconds = lease_seconds / BEATS
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="writer", daemon=True)
        self._connection: Connection | None = None
        self._beats = 0
        self._since = 0.0
        self._in_doubt: list[Outcome] | None = None
        self._is_closing = False
        self._is_last = False  # no work comes after those that were gathered

    @property
    def trouble(self) -> str | None:
        """The reason why no work can be committed now, for any client; `None` if all is well."""
        since = self._busy_since
        if self._trouble is None and since is not None and time.monotonic() > since + STALL_SECONDS:
            return f"it has not answered for {time.monotonic() - since:.0f} seconds"
        return self._trouble

    def start(self, as_worker: bool) -> None:
        """Start the thread.

        Args:
            as_worker: whether this process drives runs, and is registered as a worker.

        Raises:
            DBAPIError: the worker cannot be registered.
        """
        if as_worker:
            with self._connected().begin():
                self.worker = workers.register(self._connected())
            self._disconnect()  # the writer connects in its own thread
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    @property
    def queued(self) -> int:
        """The number of queued works, roughly."""
        return self._queue.qsize()

    def put(self, work: Work) -> None:
        """Queue the work."""
        self._queue.put(work)

    def close(self) -> None:
        """Commit the queued works, and stop the thread."""
        if self.is_alive:
            self._is_closing = True
            self._queue.put(None)
            self._thread.join()

    # In the thread

    def _write(self) -> None:
        while not self._is_last:
            works: list[Work] = []
            self._gather(works, None if self.worker is None else self._beat_seconds)
            if works or not self._is_stuck():  # this thread lives on where the loop does not
                self._settle(works)
        self._leave()
        self._disconnect()

    def _gather(self, works: list[Work], seconds: float | None = 0) -> None:
        """Move queued works into the list, as many as can share a transaction.

        Args:
            works: the list.
            seconds: the time to wait for the first work; `None` for any time.
        """
        weight = sum(work.weight for work in works)
        with suppress(queue.Empty):
            while len(works) < GROUP and weight < GROUP_BYTES and not self._is_last:
                work = self._queue.get(timeout=seconds)
                seconds = 0
                if work is None:
                    self._is_last = True
                else:
                    works.append(work)
                    weight += work.weight

    def _settle(self, works: list[Work], *, are_open: bool = True) -> None:
        """Commit the works together, or each by itself if one of them raises.

        Args:
            works: the works.
            are_open: whether works that are queued meanwhile may join.
        """
        try:
            outcomes = self._persist(works, are_open)
        except Unavailable as error:  # for all of the works, some of which may be committed
            outcomes = [error] * len(works)
        except Exception as error:  # for those who wait; the thread must go on
            self._in_doubt = None
            if len(works) > 1:
                for work in works:
                    self._settle([work], are_open=False)
                return
            if not works:
                log.exception("this process cannot show that it is alive")
            outcomes = [error] * len(works)
        _answer(list(zip(works, outcomes, strict=True)))

    def _persist(self, works: list[Work], are_open: bool) -> list[Outcome]:
        """Commit the works; while the database is out of reach, wait and try again."""
        delay, clashes = FIRST_DELAY, 0
        while True:
            self._busy_since = time.monotonic()
            try:
                outcomes = self._resolved() or self._commit(works, are_open)
            except DBAPIError as error:
                if is_clash(error):
                    clashes += 1
                    if len(works) > 1 or clashes == MOST_CLASHES:
                        raise
                    continue
                if not is_out_of_reach(error):
                    raise
                self._disconnect()
                self._report(error)
                if not works:
                    return []
                if self._is_closing or time.monotonic() > self._since + self._wait_seconds:
                    self._in_doubt = None
                    raise Unavailable(f"The database is out of reach: {self._trouble}.") from error
            else:
                self._in_doubt = None
                self._report(None)
                return outcomes
            finally:
                self._busy_since = None
            if self._in_doubt is None:
                self._refuse(works)
            time.sleep(delay)
            delay = min(2 * delay, LONGEST_DELAY)

    def _refuse(self, works: list[Work]) -> None:
        """Refuse the impatient works, whose clients can ask again."""
        refusal = Unavailable(f"The database is out of reach: {self._trouble}. Try again later.")
        _answer([(work, refusal) for work in works if not work.is_patient])
        works[:] = [work for work in works if work.is_patient]

    def _resolved(self) -> list[Outcome] | None:
        """The outcomes of a commit that was cut short; `None` if the commit has not taken place."""
        if self._in_doubt is None or self.worker is None:
            return None
        with self._connected().begin():
            beats = workers.beats(self._connected(), self.worker)
        outcomes, self._in_doubt = self._in_doubt, None
        if beats is None:
            raise Unavailable("The connection broke amid a commit, and another has taken over.")
        if beats <= self._beats:
            return None
        self._beats = beats
        return outcomes

    def _commit(self, works: list[Work], are_open: bool) -> list[Outcome]:
        connection = self._connected()
        if len(works) == 1 and self._commit_by_itself(connection, works[0]):
            return [None]
        worker, beats = self.worker, self._beats + 1
        outcomes: list[Outcome] = []
        with connection.begin():
            if worker is not None and not workers.beat(connection, worker, self._beats):
                worker, beats = workers.register(connection), 0
            if are_open:  # this thread may have had to wait for the interpreter until here
                self._gather(works)
            for function, some in _by_function(works).items():
                outcomes += function(connection, worker, [work.item for work in some])
            self._in_doubt = outcomes
        if worker != self.worker:
            log.warning("this process was taken for dead: others may have taken up its runs")
        self.worker, self._beats = worker, beats
        return outcomes

    def _commit_by_itself(self, connection: Connection, work: Work) -> bool:
        """Commit a lone work by one statement, in half the time of `_commit` on PostgreSQL.

        Returns:
            False if nothing was committed, and `_commit` must go the general way.
        """
        if self.worker is None or work.by_itself is None:
            return False
        self._in_doubt = [None]
        try:
            is_done = work.by_itself(connection, self.worker, self._beats, work.item)
        except IntegrityError:  # the general way tells why
            is_done = False
        if is_done:
            self._beats += 1
        else:
            self._in_doubt = None
        return is_done

    def _leave(self) -> None:
        """Let other workers take up the unfinished runs of this process at once."""
        if self.worker is not None:
            try:
                with self._connected().begin():
                    workers.leave(self._connected(), self.worker)
            except DBAPIError as error:  # others take up the runs once the lease is over
                log.warning("this process could not say that it ends", trouble=described(error))

    def _connected(self) -> Connection:
        if self._connection is not None and self._connection.invalidated:
            self._disconnect()  # SQLAlchemy would connect it again, as a plain one
        if self._connection is None:
            self._connection = for_writing(self._engine)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None

    def _report(self, error: DBAPIError | None) -> None:
        if error is not None and self._trouble is None:
            self._since = time.monotonic()
        elif error is None and self._trouble is not None:
            log.info("the database is back")
        told = None if error is None else described(error)
        if told is not None and told != self._logged:  # the first trouble rarely tells the reason
            log.error("the database is out of reach", trouble=told)
        self._logged = told
        self._trouble = None if error is None else described_for_clients(error)


def _by_function(works: list[Work]) -> "dict[Function[Any], list[Work]]":
    """Group the works by their function, and put the list into the order of the groups.

    The outcomes come in that order.
    """
    shared: dict[Function[Any], list[Work]] = {}
    for work in works:
        shared.setdefault(work.function, []).append(work)
    works[:] = [work for some in shared.values() for work in some]
    return shared


def alone(call: Callable[[Session], Any]) -> Function[None]:
    """Wrap `call(session)` as the function of one work.

    `call` must raise a `Refusal` before its first write, or not at all: the transaction is shared.

    Args:
        call: takes a session, and returns the outcome; a `Refusal` is an outcome, too.
    """

    def each(connection: Connection, worker: UUID | None, _: Sequence[None]) -> Sequence[Outcome]:
        # Autoflush would write rows in the middle of a call that may yet refuse.
        with Session(connection, expire_on_commit=False, autoflush=False) as session:
            session.info[workers.OWN] = worker
            try:
                outcome = call(session)
            except Refusal as refusal:
                return [refusal]
            session.flush()
            return [outcome]

    return each


def _answer(done: Sequence[tuple[Work, Outcome]]) -> None:
    """Hand out the outcomes, by one call to the event loop, which all works share."""
    if not done:
        return
    try:
        done[0][0].done.get_loop().call_soon_threadsafe(_resolve, done)
    except RuntimeError:  # the loop is closed, and no client waits there
        log.warning("nobody waits any more for what was committed", works=len(done))


def _resolve(done: Sequence[tuple[Work, Outcome]]) -> None:
    for work, outcome in done:
        if work.done.done():
            continue
        if isinstance(outcome, BaseException):
            work.done.set_exception(outcome)
            continue
        try:
            if work.committed is not None:
                work.committed(outcome)
        except Exception as error:  # of one work; the others of its group go on
            work.done.set_exception(error)
        else:
            work.done.set_result(outcome)
