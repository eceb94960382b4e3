"""The connection to the database: many readers, and one writer for all commits."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from cairn.errors import Unavailable
from cairn.store import migrations
from cairn.store.connecting import (
    checked,
    connected,
    described,
    described_for_clients,
    is_out_of_reach,
    unusable,
)
from cairn.store.tables import Run
from cairn.store.writer import ByItself, Function, Item, Work, Writer, alone

log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

READERS = 16
READ_SECONDS, PING_SECONDS = 30, 5  # for a read, and for one while trouble is likely
PAGES = 2_000  # cut off a file at a time
QUEUE = 1_024  # works that wait to be committed, before an impatient one is refused

WAIT_SECONDS, LEASE_SECONDS = 60.0, 10.0


class Database:
    """The database, for one event loop.

    Reads and writes are functions that take a `Session` first. Writes are queued to one thread,
    which commits all queued writes in one transaction. A function that writes must be repeatable:
    if one of a group fails, each of the group starts over by itself.

    Attributes:
        facets: the ids of facets that are known to be stored, by their values.
    """

    def __init__(
        self,
        url: str,
        wait_seconds: float = WAIT_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        is_stuck: Callable[[], bool] = lambda: False,
    ) -> None:
        """Check the URL, and make ready to connect.

        Args:
            url: the database's URL.
            wait_seconds: the time for which checkpoints wait for a database that is out of reach.
            lease_seconds: the time after its last beat at which a process is taken for dead.
            is_stuck: tells whether this process can drive no runs at present. A stuck process
                does not beat, and other processes take over its runs.

        Raises:
            ValueError: the URL is not one of a database that can be used.
        """
        self.facets: dict[tuple[str | None, ...], int] = {}  # known to be stored, with their ids
        self._engine = connected(checked(url), READERS + 2)
        # All queries of one read see the same moment, even amid a delete; SQLite does so itself.
        self._stable = self._engine
        if self._engine.dialect.name == "postgresql":
            self._stable = self._engine.execution_options(isolation_level="REPEATABLE READ")
        # Not asyncio's own threads: workflows may keep those busy.
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._writer = Writer(self._engine, wait_seconds, lease_seconds, is_stuck)

    @property
    def shown_url(self) -> str:
        """The URL, without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    @property
    def worker(self) -> UUID | None:
        """The id under which this process drives runs; a new one once it was taken for dead."""
        return self._writer.worker

    def open(self, *, as_worker: bool = True) -> None:
        """Bring the tables up to date if that is safe, and start the writer.

        Args:
            as_worker: whether this process is to drive runs.

        Raises:
            ValueError: the database cannot be used; the message says why.
        """
        try:
            migrations.prepare(self._engine)
            self._writer.start(as_worker)
        except DBAPIError as error:
            raise unusable(self.shown_url, error) from error

    def close(self) -> None:
        """Commit the queued writes, and disconnect."""
        self._writer.close()
        self._readers.shutdown()
        self._engine.dispose()

    async def read(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the function with a session, in a thread, and return its result.

        Args:
            function: takes a session and the other arguments; called twice if the connection broke.
            args: further arguments of the function.
            kwargs: further arguments of the function.

        Raises:
            Unavailable: the database is out of reach, or has not answered in time.
        """
        seconds = READ_SECONDS if self._writer.trouble is None else PING_SECONDS
        return await self._read(lambda session: function(session, *args, **kwargs), seconds)

    async def _read(self, function: Callable[[Session], T], seconds: int) -> T:
        def call() -> T:
            with Session(self._stable, expire_on_commit=False) as session:
                return function(session)

        def call_twice() -> T:
            try:
                return call()
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            return call()  # the server has been started anew since this connection was used

        try:
            reading = asyncio.get_running_loop().run_in_executor(self._readers, call_twice)
            async with asyncio.timeout(seconds):  # 3.11's `wait_for` can lose a cancellation
                return await reading
        except TimeoutError:
            raise _out_of_reach(f"it has not answered for {seconds} seconds") from None
        except DBAPIError as error:
            if is_out_of_reach(error):
                if self._writer.trouble is None:  # the writer has logged the trouble otherwise
                    log.warning("the database is out of reach", trouble=described(error))
                raise _out_of_reach(described_for_clients(error)) from error
            raise

    async def write(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call the function in the writer, and return its result once its writes are committed.

        Meant for requests of clients, who can ask again. Cancelling the awaiting task does not take
        the write back.

        Args:
            function: takes a session and the other arguments. It must raise a `Refusal` before its
                first write, as in `alone`.
            args: further arguments of the function.
            kwargs: further arguments of the function.

        Raises:
            Unavailable: the database is out of reach, or there is too much to write.
        """
        work = alone(lambda session: function(session, *args, **kwargs))
        result: T = await self.commit(work, None, is_patient=False)
        return result

    def commit(
        self,
        function: Function[Item],
        item: Item,
        weight: int = 0,
        *,
        is_patient: bool,
        by_itself: ByItself[Item] | None = None,
        committed: Callable[[Any], None] | None = None,
    ) -> asyncio.Future[Any]:
        """Commit the item, in one transaction with other items that are queued.

        Args:
            function: takes all the items that share the transaction, and returns the outcome of
                each.
            item: the item.
            weight: the bytes to write, roughly.
            is_patient: whether the item waits for a database that is out of reach, and in a queue
                of any length.
            by_itself: as in `Work`.
            committed: as in `Work`.

        Returns:
            A future of the outcome, resolved once the item is committed; `Unavailable` if the
            database was out of reach for too long. The item may be committed nevertheless, and so
            may the item of a future that is cancelled.

        Raises:
            Unavailable: the item is not patient, and the database is out of reach or there is too
                much to write.
        """
        if not is_patient and self._writer.trouble is not None:
            raise _out_of_reach(self._writer.trouble)
        if not is_patient and self._writer.queued >= QUEUE:
            raise Unavailable("There is more to write than can be written. Try again soon.", 1)
        done = asyncio.get_running_loop().create_future()
        self._writer.put(Work(function, item, weight, is_patient, done, by_itself, committed))
        return done

    async def compact(self) -> None:
        """Give the space of deleted rows back to the file system, on SQLite.

        PostgreSQL does so itself, or keeps the space for new rows.
        """
        if self._engine.dialect.name == "sqlite":
            while await self.write(_free_pages):
                pass
            await asyncio.get_running_loop().run_in_executor(self._readers, self._truncate)

    def _truncate(self) -> None:
        """Have the file cut, up to a page that a reader is reading."""
        with self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    async def ping(self) -> None:
        """Check that the database answers, that its tables are there, and that the writer is alive.

        Raises:
            Unavailable: the database is out of reach.
            RuntimeError: the writer has ended.
            DBAPIError: the tables cannot be read.
        """
        if not self._writer.is_alive:
            raise RuntimeError("The writer has ended: nothing can be committed.")
        if self._writer.trouble is not None:
            raise _out_of_reach(self._writer.trouble)
        await self._read(lambda session: session.exec(select(Run.id).limit(1)).all(), PING_SECONDS)


def _free_pages(session: Session) -> bool:
    """Cut some free pages off a file of SQLite's; return whether there are more."""
    driver = session.connection().connection.driver_connection
    assert driver is not None
    free = int(driver.execute("PRAGMA freelist_count").fetchone()[0])
    for _ in range(min(free, PAGES)):  # the driver has each call cut one page, for any argument
        driver.execute("PRAGMA incremental_vacuum(1)")
    return free > PAGES


def _out_of_reach(trouble: str) -> Unavailable:
    return Unavailable(f"The database is out of reach: {trouble}. Try again later.")
