"""A database that is open, for tests of the store."""

from collections.abc import Iterator

import pytest

from app.store.database import Database


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.open()
    yield database
    database.close()
