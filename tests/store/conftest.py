"""A database that is open, and another process on it, for tests of the store."""

from collections.abc import Iterator

import pytest

from cairn.store.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.open()
    yield database
    database.close()


@pytest.fixture
def other(database: Database, database_url: str) -> Iterator[Database]:
    """Another process on the same database."""
    assert database.worker is not None
    other = Database(database_url)
    other.open()
    yield other
    other.close()
