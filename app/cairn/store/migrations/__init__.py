"""The tables' history: Alembic's revisions, and the upgrade of a database."""

import sqlite3
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from cairn.store.connecting import is_out_of_reach

log = structlog.get_logger(__name__)

NO_TABLES = "The database has no tables yet. Run: cairn db upgrade"
LOCK = 0x0CA1_124E  # PostgreSQL's advisory lock for upgrades


def newest() -> str:
    """The revision of the tables that this code is written for."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current(engine: Engine) -> str | None:
    """The revision of the tables in the database; `None` without tables."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def complaint(engine: Engine) -> str | None:
    """The thing to do before the database can be used; `None` if there is none."""
    found = current(engine)
    if found == newest():
        return None
    if found is None:
        return NO_TABLES
    if found in _revisions():
        return (
            f"The database is at revision {found}, and this Cairn needs {newest()}. Stop every "
            "other Cairn on it, make a copy, and run: cairn db upgrade"
        )
    return (
        f"The database is at revision {found}, which this Cairn does not know (it needs "
        f"{newest()}): a newer one has upgraded it. Install that one, or go back to a copy."
    )


def prepare(engine: Engine) -> None:
    """Make the database ready for use, if that is safe.

    An empty database gets its tables. A file of SQLite's is upgraded, with a copy beside it.

    Raises:
        ValueError: an operator has to do a thing first, which the message names.
    """
    wrong = complaint(engine)
    if wrong is None:
        return
    found = current(engine)
    if found is not None and (found not in _revisions() or engine.dialect.name != "sqlite"):
        raise ValueError(wrong)
    for last_try in (False, False, True):
        try:
            upgrade(engine, with_copy=True)
            return
        except DBAPIError as error:  # another process may be upgrading
            if last_try or not is_out_of_reach(error):
                raise


def upgrade(engine: Engine, *, with_copy: bool = False) -> None:
    """Bring the tables to the newest revision; one process at a time does so.

    Args:
        engine: the engine of the database.
        with_copy: whether a file that has tables is copied before.

    Raises:
        ValueError: the tables are newer than this code.
    """
    found = current(engine)
    if found is not None and found not in _revisions():
        raise ValueError(complaint(engine))
    config = _config()
    with engine.connect().execution_options(writes=True) as connection:
        is_sqlite = engine.dialect.name == "sqlite"
        if is_sqlite:  # tables are made anew under their old names
            _pragma(connection.connection.driver_connection, "foreign_keys = OFF")
        with connection.begin():
            if not is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            # Another process may have upgraded the tables while this one waited for the lock.
            found = MigrationContext.configure(connection).get_current_revision()
            if with_copy and found not in (None, newest()):
                log.warning("database upgraded", copy=_copy_beside(engine), revision=newest())
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        if is_sqlite:
            _compact(connection.connection.driver_connection)


def _compact(connection: sqlite3.Connection | None) -> None:
    """Let the file get smaller when rows are deleted, from now on.

    A file that was made without this setting is written anew.
    """
    assert connection is not None
    _pragma(connection, "foreign_keys = ON")
    if connection.execute("PRAGMA auto_vacuum").fetchone() != (2,):
        _pragma(connection, "auto_vacuum = INCREMENTAL")
        try:
            connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            log.warning("the file will not get smaller when runs are deleted", why=str(error))


def _pragma(connection: sqlite3.Connection | None, what: str) -> None:
    assert connection is not None
    connection.execute(f"PRAGMA {what}")


def _copy_beside(engine: Engine) -> str:
    """Copy the database to a file beside it, and return the copy's path."""
    path = Path(f"{engine.url.database}.before-{newest()}")
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with engine.connect() as connection:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        copy = sqlite3.connect(part)
        try:
            source.backup(copy)
        finally:
            copy.close()
    part.replace(path)
    return str(path)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _revisions() -> set[str]:
    script = ScriptDirectory.from_config(_config())
    return {revision.revision for revision in script.walk_revisions()}
