"""The schema of a database: which revision its tables are at, and bringing them to another."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from cairn.store import migrations
from cairn.store.connecting import checked, connected, unusable

T = TypeVar("T")


class Schema:
    """The tables of one database.

    Its methods raise ValueError where the database cannot be used; the message says why.
    """

    def __init__(self, url: str) -> None:
        self.newest = migrations.newest()
        self._url = checked(url)

    @property
    def shown_url(self) -> str:
        """The URL, without its password."""
        return self._url.render_as_string(hide_password=True)

    def current(self) -> str | None:
        """The revision that the tables are at; `None` if they are not there."""
        return None if self._is_missing else self._ask(migrations.current)

    def complaint(self) -> str | None:
        """What has to be done before the database can be used; `None` if nothing."""
        return migrations.NO_TABLES if self._is_missing else self._ask(migrations.complaint)

    def upgrade(self) -> None:
        """Bring the tables to the newest revision."""
        self._ask(migrations.upgrade)

    @property
    def _is_missing(self) -> bool:
        """Whether it is a file that is not there: looking at it would make it."""
        is_file = self._url.get_backend_name() == "sqlite"
        return is_file and not Path(str(self._url.database)).exists()

    def _ask(self, question: Callable[[Engine], T]) -> T:
        with reached(connected(self._url, connections=1)) as engine:
            return question(engine)


@contextmanager
def reached(engine: Engine) -> Iterator[Engine]:
    """The engine, for this once; what is wrong with its database is a ValueError that says so."""
    try:
        yield engine
    except DBAPIError as error:
        raise unusable(engine.url.render_as_string(hide_password=True), error) from error
    finally:
        engine.dispose()
