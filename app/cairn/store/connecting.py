"""Connections to SQLite and PostgreSQL, and the meaning of their errors."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from cairn.store import statements

DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}

OUT_OF_REACH_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
    }
)
OUT_OF_REACH_POSTGRESQL = ("08", "25006", "25P03", "25P04", "40", "53", "55P03", "57", "58")
"""The beginnings of SQLSTATE for transactions that may succeed later.

Connection lost, standby, paused for too long, rolled back in favour of another transaction,
resources spent, lock not had, shut down, system error (PostgreSQL's manual, appendix A).
"""

CLASHES_POSTGRESQL = frozenset({"40001", "40P01"})
"""SQLSTATE of two transactions that cannot both succeed: not serializable, deadlock."""

WORDS = {
    sqlite3.SQLITE_FULL: "its disk is full: free some space",
    sqlite3.SQLITE_READONLY: "it is read-only: make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "its file cannot be opened: look at the folder and its permissions",
    sqlite3.SQLITE_IOERR: "its disk has failed to read or write",
    sqlite3.SQLITE_BUSY: "another process holds it locked",
    sqlite3.SQLITE_CORRUPT: "its file is damaged: restore a copy",
    sqlite3.SQLITE_NOTADB: "its file is not a database of SQLite's: name another",
}
LOCKED_SECONDS = 10  # for which a statement waits for a lock of another process


def checked(url: str) -> URL:
    """The URL, with the driver that Cairn uses.

    Raises:
        ValueError: the URL is not one of a database that can be used; the message says why.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError(
            f"{url!r} is not a database URL. Use one like sqlite:///cairn.db or "
            "postgresql://user:password@host/name."
        ) from None
    kind, _, driver = parsed.drivername.partition("+")
    if kind not in DRIVERS:
        raise ValueError(f"Cairn runs on SQLite and PostgreSQL, not on {kind}.")
    if driver not in ("", DRIVERS[kind].partition("+")[2]):
        raise ValueError(f"Cairn does not use {driver}: begin the URL with {DRIVERS[kind]}://.")
    if kind == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise ValueError("Cairn needs a database that lasts: name a file, sqlite:///cairn.db.")
        folder = Path(str(parsed.database)).absolute().parent
        if not folder.is_dir():
            raise ValueError(f"There is no folder {folder} for the database: make it first.")
    return parsed.set(drivername=DRIVERS[kind])


def connected(url: URL, connections: int) -> Engine:
    """The engine for a URL that was checked; the engine connects when first used.

    Args:
        url: a URL as `checked` returns.
        connections: the number of connections at a time, at most.

    Raises:
        ValueError: the database's driver is not installed.
    """
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, pool_size=connections, max_overflow=0)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        engine = create_engine(
            url,
            pool_size=connections,
            max_overflow=0,
            connect_args={
                "application_name": "cairn",
                "connect_timeout": LOCKED_SECONDS,
                # A server that is cut off without a word is noticed within half a minute.
                "keepalives_idle": LOCKED_SECONDS,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": 30_000,  # milliseconds
                # A process that is paused in a transaction must not hold up the others.
                "options": f"-c idle_in_transaction_session_timeout={LOCKED_SECONDS}s"
                f" -c lock_timeout={LOCKED_SECONDS}s",
            },
        )
    except ModuleNotFoundError as error:
        raise ValueError(
            f"The driver {error.name} is not installed: pip install 'cairn-workflows[postgresql]'."
        ) from error
    event.listen(engine, "begin", _begin_postgresql)
    return engine


def for_writing(engine: Engine) -> Connection:
    """A connection for writing.

    On SQLite its transactions take the lock as they begin. On PostgreSQL a statement outside of
    any transaction is a transaction by itself.
    """
    connection = engine.connect().execution_options(writes=True)
    if engine.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    return connection


def is_clash(error: DBAPIError) -> bool:
    """True if another transaction was quicker to make, delete or lock the same rows.

    The transaction may succeed if tried again at once.
    """
    is_deadlock = getattr(error.orig, "sqlstate", None) in CLASHES_POSTGRESQL
    return is_deadlock or isinstance(error, IntegrityError)


def is_out_of_reach(error: BaseException) -> bool:
    """True if the same transaction may succeed later: the statement is sound."""
    if not isinstance(error, DBAPIError):
        return False
    code = _sqlite_code(error)
    if code is not None:
        return code in OUT_OF_REACH_SQLITE
    state = getattr(error.orig, "sqlstate", None)
    if state is None:  # never got as far as the server, or lost it
        return error.connection_invalidated or type(error).__name__ == "OperationalError"
    return str(state).startswith(OUT_OF_REACH_POSTGRESQL)


def described(error: DBAPIError) -> str:
    """The trouble with the database, in words for the log.

    The driver's words may hold the database's address and its users.
    """
    return _known(error) or " ".join(str(error.orig).split())


def described_for_clients(error: DBAPIError) -> str:
    """The trouble with the database, in words for any client."""
    return _known(error) or "the log tells why"


def _known(error: DBAPIError) -> str | None:
    return WORDS.get(_sqlite_code(error) or -1)


def unusable(shown_url: str, error: DBAPIError) -> ValueError:
    """An error that says why the database cannot be used."""
    return ValueError(f"The database {shown_url} cannot be used: {described(error)}.")


def _sqlite_code(error: DBAPIError) -> int | None:
    """SQLite's primary result code."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    for pragma in (
        f"busy_timeout = {LOCKED_SECONDS * 1000}",
        "auto_vacuum = INCREMENTAL",  # so that a file can get smaller; counts where it is new
        "journal_size_limit = 67108864",  # bytes that the log keeps once it has grown larger
        "synchronous = FULL",  # what is committed survives a power cut
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")
    _keep_a_log(connection)


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """Have SQLite write to a log ahead of the file.

    The first process to do so needs the file for itself. If two want that at the same time, SQLite
    refuses one at once, whatever the timeout.
    """
    give_up = time.monotonic() + LOCKED_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
        time.sleep(0.01)


def _begin_sqlite(connection: Any) -> None:
    # A transaction that begins as a reader and then writes can be refused without waiting.
    writes = connection.get_execution_options().get("writes")
    statements.begin(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgresql(connection: Any) -> None:
    if connection.connection.driver_connection.autocommit:  # the driver begins none by itself
        statements.begin(connection, "BEGIN")
