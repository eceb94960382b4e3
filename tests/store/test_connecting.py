"""Connecting to a file of SQLite's that others are using."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest
from sqlalchemy.exc import OperationalError

from cairn.store import connecting, migrations
from cairn.store.connecting import checked, connected, described
from tests.store.starting import start_at_once


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file without a log."""
    return tmp_path / "cairn.db"


@pytest.fixture
def holder(file: Path) -> Iterator[sqlite3.Connection]:
    """Somebody who writes to the file and has not committed."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    connection.execute("CREATE TABLE something (x)")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO something VALUES (1)")
    yield connection
    connection.close()


def journal_mode(file: Path) -> object:
    engine = connected(checked(f"sqlite:///{file}"), 1)
    try:
        with engine.connect() as connection:
            return connection.exec_driver_sql("PRAGMA journal_mode").scalar()
    finally:
        engine.dispose()


def test_the_log_is_begun_once_whoever_writes_without_one_has_committed(
    file: Path, holder: sqlite3.Connection
) -> None:
    commits = Timer(0.3, holder.commit)
    commits.start()
    assert journal_mode(file) == "wal"
    commits.join()


def test_a_file_that_stays_locked_is_given_up(
    file: Path, holder: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "LOCKED_SECONDS", 0.2)
    with pytest.raises(OperationalError) as refusal:
        journal_mode(file)
    assert described(refusal.value) == "another process holds it locked"
    assert holder.in_transaction


def test_many_services_start_at_once_on_a_new_file(file: Path) -> None:
    assert not start_at_once(f"sqlite:///{file}", 8)
    engine = connected(checked(f"sqlite:///{file}"), 1)
    assert migrations.current(engine) == migrations.newest()
    engine.dispose()
