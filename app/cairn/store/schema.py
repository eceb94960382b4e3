"""The schema of a database: the revision of its tables, and the upgrade to the newest."""

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

    The methods raise ValueError if the database cannot be used; the message says why.

    Attributes:
        newest: the revision of the tables that this code is written for.
    """

    def __init__(self, url: str) -> None:
        self.newest = migrations.newest()
        self._url = checked(url)

    @property
    def shown_url(self) -> str:
        """The URL, without its password."""
        return self._url.render_as_string(hide_password=True)

    def current(self) -> str | None:
        """The revision of the tables; `None` without tables."""
        return None if self._is_missing else self._ask(migrations.current)

    def complaint(self) -> str | None:
        """The thing to do before the database can be used; `None` if there is none."""
        return migrations.NO_TABLES if self._is_missing else self._ask(migrations.complaint)

    def upgrade(self) -> None:
        """Bring the tables to the newest revision."""
        self._ask(migrations.upgrade)

    @property
    def _is_missing(self) -> bool:
        """True for a file that is not there: a connection would make the file."""
        is_file = self._url.get_backend_name() == "sqlite"
        return is_file and not Path(str(self._url.database)).exists()

    def _ask(self, question: Callable[[Engine], T]) -> T:
        with reached(connected(self._url, connections=1)) as engine:
            return question(engine)


@contextmanager
def reached(engine: Engine) -> Iterator[Engine]:
    """Yield the engine, and dispose of it in the end.

    Raises:
        ValueError: the database cannot be used; the message says why.
    """
    try:
        yield engine
    except DBAPIError as error:
        raise unusable(engine.url.render_as_string(hide_password=True), error) from error
    finally:
        engine.dispose()
