"""What stands in a service's database, read and written past the service."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import make_url
from sqlalchemy.engine import URL

BOUND = 30.0


def checkpoints(database_url: str, since: float) -> set[UUID]:
    """The checkpoints that a service has left which is dead now.

    Args:
        since: only those made at that moment or later, in seconds since 1970. (Their ids begin with
            that time: looking at the last ones costs the same whatever is there already.)
    """
    first = UUID(int=max(0, int(since * 1000)) << 80)
    with _connected(database_url) as connection:
        if isinstance(connection, sqlite3.Connection):
            return _in_sqlite(connection, first)
        _wait_for_others_to_end(connection)
        if not connection.execute("SELECT to_regclass('checkpoints')").fetchone()[0]:
            return set()
        found = connection.execute("SELECT id FROM checkpoints WHERE id >= %s", (first,))
        return {_uuid(id_) for (id_,) in found.fetchall()}


def execute(database_url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Have the database do something, behind the service's back; `?` is a parameter.

    Returns:
        The rows that it returns.
    """
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(str(url.database), timeout=BOUND)) as connection, connection:
            return connection.execute(statement, parameters).fetchall()
    with psycopg.connect(_plain(url)) as server:
        cursor = server.execute(statement.replace("?", "%s").encode(), parameters)
        return [] if cursor.description is None else list(cursor.fetchall())


def as_id(database_url: str, id_: str) -> object:
    """An id of a checkpoint as its column holds it: as it is, or as 16 bytes or as 32 digits."""
    if make_url(database_url).get_backend_name() != "sqlite":
        return UUID(id_)
    kinds = execute(database_url, "SELECT typeof(id) FROM checkpoints LIMIT 1")
    return _stored(UUID(id_), kinds[0][0] if kinds else "blob")


@contextmanager
def _connected(database_url: str) -> Iterator[Any]:
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        # Reading only: the next life finds the files as the last one has left them.
        path = Path(str(url.database))
        if not path.exists():
            path = Path(":memory:")
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            yield connection
        return
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        yield connection


def _in_sqlite(connection: sqlite3.Connection, first: UUID) -> set[UUID]:
    tables = connection.execute("SELECT name FROM sqlite_schema").fetchall()
    if ("checkpoints",) not in tables:
        return set()
    kind = connection.execute("SELECT typeof(id) FROM checkpoints LIMIT 1").fetchone()
    if kind is None:
        return set()
    query = "SELECT id FROM checkpoints WHERE id >= ?"
    found = connection.execute(query, (_stored(first, kind[0]),)).fetchall()
    return {_uuid(id_) for (id_,) in found}


def _wait_for_others_to_end(connection: Any) -> None:
    """What its client had sent when it was killed, the server still does."""
    end = time.monotonic() + BOUND
    others = """SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'"""
    while connection.execute(others).fetchone()[0]:
        assert time.monotonic() < end, "the server still does something for the dead service"
        time.sleep(0.005)


def _stored(id_: UUID, kind: str) -> bytes | str:
    return id_.bytes if kind == "blob" else id_.hex


def _uuid(stored: object) -> UUID:
    if isinstance(stored, UUID):
        return stored
    return UUID(bytes=stored) if isinstance(stored, bytes) else UUID(str(stored))


def _plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)
