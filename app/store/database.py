"""The connection to the database: many readers, and one writer thread that commits for all."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlmodel import Session, select

from app.store import migrations
from app.store.tables import Run

log = structlog.get_logger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

READERS = 16
GROUP = 256  # how many pieces of work share a transaction at most


class Database:
    """Where runs are remembered.

    Reading and writing is done by functions that take a `Session` first. Those that write are
    queued to one thread, which commits whatever has gathered in one transaction (group commit);
    they must be repeatable, since one that fails makes all of its group start over by themselves.
    """

    def __init__(self, url: str) -> None:
        """Check the URL, and make ready to connect.

        Raises:
            ValueError: the URL is not one of a database that can be used.
        """
        self._engine = _engine(_checked(url))
        # Not asyncio's own threads: workflows may keep those busy.
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="writer", daemon=True)

    @property
    def shown_url(self) -> str:
        """The URL, without its password."""
        return self._engine.url.render_as_string(hide_password=True)

    def open(self) -> None:
        """Bring the tables up to date, and start to write.

        Raises:
            ValueError: the database cannot be used; the message says why.
        """
        try:
            migrations.upgrade(self._engine)
        except DBAPIError as error:
            raise ValueError(
                f"The database {self.shown_url} cannot be used: {error.orig}."
            ) from error
        self._writer.start()

    def close(self) -> None:
        """Write what is queued, and let go of the database."""
        if self._writer.is_alive():
            self._work.put(None)
            self._writer.join()
        self._readers.shutdown()
        self._engine.dispose()

    async def read(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the function reads, in a thread."""

        def call() -> T:
            with Session(self._engine, expire_on_commit=False) as session:
                return function(session, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._readers, call)

    async def write(
        self, function: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """What the function returns, once what it wrote is committed.

        Cancelling whoever awaits does not take the work back.
        """
        done: Future[T] = Future()
        self._work.put(_Work(lambda session: function(session, *args, **kwargs), done))
        return await asyncio.shield(asyncio.wrap_future(done))

    async def ping(self) -> None:
        """Raise whatever is wrong with the database, its tables or its writer."""
        if not self._writer.is_alive():
            raise RuntimeError("The writer has ended: nothing can be committed.")
        await self.read(lambda session: session.exec(select(Run.id).limit(1)).all())

    def _write_all(self) -> None:
        ending = False
        while not ending:
            group = [self._work.get()]
            while len(group) < GROUP and not self._work.empty():
                group.append(self._work.get())
            works = [work for work in group if work is not None]
            ending = len(works) < len(group)
            if works and not self._commit(works):
                for work in works:
                    self._commit([work])

    def _commit(self, works: "list[_Work]") -> bool:
        """Do the works in one transaction; False means that they must be done one by one."""
        try:
            with (
                self._engine.connect().execution_options(writes=True) as connection,
                connection.begin(),
                # Autoflush would write rows in the middle of a function that may yet refuse.
                Session(connection, expire_on_commit=False, autoflush=False) as session,
            ):
                results = [_do(work, session) for work in works]
        except BaseException as error:  # handed on, to whoever awaits; the thread must not end
            if len(works) > 1:
                return False
            works[0].done.set_exception(error)
        else:
            for work, result in zip(works, results, strict=True):
                work.done.set_result(result)
        return True


class _Work:
    def __init__(self, function: Callable[[Session], Any], done: "Future[Any]") -> None:
        self.function = function
        self.done = done


def _do(work: _Work, session: Session) -> Any:
    result = work.function(session)
    session.flush()
    return result


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(
            f"{url!r} is not a database URL. Use one like sqlite:///cairn.db."
        ) from None
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise ValueError(
            f"Cairn runs on SQLite and PostgreSQL, not on {parsed.get_backend_name()}."
        )
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise ValueError("Cairn needs a database that lasts: name a file, sqlite:///cairn.db.")
        folder = Path(str(parsed.database)).absolute().parent
        if not folder.is_dir():
            raise ValueError(f"There is no folder {folder} for the database: make it first.")
    return parsed


def _engine(url: URL) -> Engine:
    try:
        engine = create_engine(url, pool_size=READERS, max_overflow=4)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"The driver {error.name} is not installed: pip install 'cairn[postgresql]', and use a "
            "URL that begins with postgresql+psycopg://."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # what is committed survives a power cut
        "busy_timeout = 10000",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    # A transaction that begins as a reader and then writes can be refused without waiting.
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
