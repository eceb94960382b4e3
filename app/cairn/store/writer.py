"""The writer: one thread, which commits for all (group commit)."""

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

GROUP, GROUP_BYTES = 256, 8_000_000  # that share a transaction, at most
FIRST_DELAY, LONGEST_DELAY = 0.05, 1.0  # seconds between two tries
STALL_SECONDS = 5.0  # after which a commit that goes on is taken for trouble
MOST_CLASHES = 5  # with other processes, one after the other
BEATS = 3  # in the time after which a worker that does not move is taken for dead

Item = TypeVar("Item")
Outcome = Any
"""What a work returned, or the exception that it has come to."""

Function = Callable[[Connection, UUID | None, Sequence[Item]], Sequence[Outcome]]
ByItself = Callable[[Connection, UUID, int, Item], bool]


@dataclass(slots=True, eq=False)
class Work:
    """Something to be committed.

    Attributes:
        function: takes a connection, the worker and the items of all the works that share it,
            and returns the outcome of each. It must be repeatable.
        weight: how many bytes there are to write, roughly.
        is_patient: whether it waits for a database that is out of reach.
        by_itself: commits it, where it comes alone, by one statement that beats, too; given how
            often the worker has committed before. Returns whether it did.
        committed: called in the event loop with the outcome of a commit, unless that is an
            exception, or `done` was cancelled; `done` is resolved after that.
    """

    function: "Function[Any]"
    item: Any
    weight: int
    is_patient: bool
    done: "asyncio.Future[Any]"
    by_itself: "ByItself[Any] | None" = None
    committed: Callable[[Any], None] | None = None


class Writer:
    """Takes works from a queue, and commits whatever has gathered in one transaction.

    Attributes:
        worker: under whose name it commits; `None` for a process that drives no runs.
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
        self._is_last = False  # what was gathered: nothing more is to come

    @property
    def trouble(self) -> str | None:
        """Why nothing can be committed at present, for anybody; `None` where all is well."""
        since = self._busy_since
        if self._trouble is None and since is not None and time.monotonic() > since + STALL_SECONDS:
            return f"it has not answered for {time.monotonic() - since:.0f} seconds"
        return self._trouble

    def start(self, as_worker: bool) -> None:
        """Begin to write; as a worker, which drives runs and must be known to the others."""
        if as_worker:
            with self._connected().begin():
                self.worker = workers.register(self._connected())
            self._disconnect()  # the writer connects in its own thread
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it writes."""
        return self._thread.is_alive()

    @property
    def queued(self) -> int:
        """How many works wait to be taken up, roughly."""
        return self._queue.qsize()

    def put(self, work: Work) -> None:
        """Have the work done, soon."""
        self._queue.put(work)

    def close(self) -> None:
        """Commit what is queued, and stop."""
        if self.is_alive:
            self._is_closing = True
            self._queue.put(None)
            self._thread.join()

    # What its thread does

    def _write(self) -> None:
        while not self._is_last:
            works: list[Work] = []
            self._gather(works, None if self.worker is None else self._beat_seconds)
            if works or not self._is_stuck():  # this thread lives on where the loop does not
                self._settle(works)
        self._leave()
        self._disconnect()

    def _gather(self, works: list[Work], seconds: float | None = 0) -> None:
        """Add what has been queued to the works, as far as all can share a transaction.

        Args:
            seconds: how long to wait for something to come; `None` for as long as it takes.
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
        """Commit the works together; if one of them makes that impossible, each by itself.

        Args:
            are_open: whether what is queued meanwhile may join them.
        """
        try:
            outcomes = self._persist(works, are_open)
        except Unavailable as error:  # for all of them; and some may be committed
            outcomes = [error] * len(works)
        except Exception as error:  # it is theirs who wait; the thread must go on
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
        """Commit the works, and wait for the database while it is out of reach."""
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
        """Let nobody wait who can ask again."""
        refusal = Unavailable(f"The database is out of reach: {self._trouble}. Try again later.")
        _answer([(work, refusal) for work in works if not work.is_patient])
        works[:] = [work for work in works if work.is_patient]

    def _resolved(self) -> list[Outcome] | None:
        """The outcomes of a commit that was cut short, if it has taken place."""
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
        if self.worker is None or work.by_itself is None:
            return False
        self._in_doubt = [None]
        try:
            is_done = work.by_itself(connection, self.worker, self._beats, work.item)
        except IntegrityError:  # the long way tells why
            is_done = False
        if is_done:
            self._beats += 1
        else:
            self._in_doubt = None
        return is_done

    def _leave(self) -> None:
        """Others may take up what this process has not carried to its end, at once."""
        if self.worker is not None:
            try:
                with self._connected().begin():
                    workers.leave(self._connected(), self.worker)
            except DBAPIError as error:  # they will, after a while
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
            log.error("the database is out of reach", trouble=described(error))
        elif error is None and self._trouble is not None:
            log.info("the database is back")
        self._trouble = None if error is None else described_for_clients(error)


def _by_function(works: list[Work]) -> "dict[Function[Any], list[Work]]":
    """The works, by the function that they share; and put into that order, in which the outcomes
    come."""
    shared: dict[Function[Any], list[Work]] = {}
    for work in works:
        shared.setdefault(work.function, []).append(work)
    works[:] = [work for some in shared.values() for work in some]
    return shared


def alone(call: Callable[[Session], Any]) -> Function[None]:
    """A function of a session, for one work. It refuses before it writes, or not at all."""

    def each(connection: Connection, worker: UUID | None, _: Sequence[None]) -> Sequence[Outcome]:
        # Autoflush would write rows in the middle of a function that may yet refuse.
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
    """Hand out the outcomes, by one call to the event loop: a database has one at a time."""
    if not done:
        return
    try:
        done[0][0].done.get_loop().call_soon_threadsafe(_resolve, done)
    except RuntimeError:  # it is closed: nobody waits there any more
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
        except Exception as error:  # of one work, whose group goes on
            work.done.set_exception(error)
        else:
            work.done.set_result(outcome)
