"""Backup: a copy of the database, made while services write to it."""

import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL

from cairn.store.connecting import LOCKED_SECONDS, checked


def backup(url: str, file: Path) -> None:
    """Copy a database of SQLite's to a file, as it stands at one moment.

    The copy is the database alone, without a log beside it. An unfinished copy has another name,
    so that a copy that was cut short is never taken for a whole one.

    Args:
        url: the database's URL.
        file: the path of the copy.

    Raises:
        ValueError: the file is there already, or cannot be written; or the database is not there,
            cannot be read, is damaged, or is PostgreSQL's. The message says what to do.
    """
    source = checked(url)
    if source.get_backend_name() != "sqlite":
        raise ValueError(
            f"A database of PostgreSQL's is copied by its own tool:\n{_dump(source, file)}"
        )
    database = Path(str(source.database))
    if not database.exists():
        raise ValueError(f"There is no database {database}.")
    _refuse_existing(file)
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("xb"):
            pass
    except FileExistsError:
        raise ValueError(
            f"{part} is there: another backup writes it; or was cut short: remove it then."
        ) from None
    except OSError as error:
        raise ValueError(f"{file} cannot be written: {error.strerror}.") from error
    try:
        _copy(database, part)
        _refuse_existing(file)
        part.rename(file)
    except sqlite3.Error as error:
        raise ValueError(f"The database {database} cannot be copied: {error}.") from error
    finally:
        part.unlink(missing_ok=True)


def _copy(database: Path, part: Path) -> None:
    # All pages at once: a service goes on meanwhile, since it writes to the log. Some at a time
    # would begin anew whenever it has written.
    at = database.absolute().as_uri()
    with (
        closing(sqlite3.connect(f"{at}?mode=rw", uri=True, timeout=LOCKED_SECONDS)) as source,
        closing(sqlite3.connect(part)) as copy,
    ):
        source.backup(copy, pages=-1)
        [found] = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(f"it is damaged: {found}")
        copy.execute("PRAGMA journal_mode = DELETE")  # no log beside the copy


def _refuse_existing(file: Path) -> None:
    if file.exists():
        raise ValueError(f"{file} is there already, and is not overwritten. Name another file.")


def _dump(url: URL, file: Path) -> str:
    """The command line to type, without the password: the tool asks for one."""
    query = {name: value for name, value in url.query.items() if "password" not in name}
    parts = (url.username, None, url.host, url.port, url.database, query)
    shown = URL.create("postgresql", *parts).render_as_string()
    command = ["pg_dump", "--format=custom", f"--file={file}", shown]
    return " ".join(map(shlex.quote, command))
