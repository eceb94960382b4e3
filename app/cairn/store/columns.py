"""Types of columns: what the two kinds of database keep in different ways."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, TypeDecorator, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles


class Id(Uuid[UUID]):
    """A UUID in 16 bytes, also in SQLite, which would be given 32 letters: half of what an index
    holds is ids."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        """What the database is given."""
        if dialect.name != "sqlite":
            return super().bind_processor(dialect)
        return lambda value: None if value is None else value.bytes

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """What the database returns."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call]
        return lambda value: None if value is None else UUID(bytes=value)


@compiles(Id, "sqlite")
def _sqlite_name(*_: Any, **__: Any) -> str:
    return "BLOB"


class Bytes(LargeBinary):
    """Bytes, given as they are: both drivers take them so, and every checkpoint has several."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """What the database is given."""


class UtcTime(TypeDecorator[datetime]):
    """A moment. SQLite drops the time zone, and what is stored is always UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        """What the database is given: of SQLite, the text that SQLAlchemy would make, in a quarter
        of the time."""
        if dialect.name != "sqlite":
            return super().bind_processor(dialect)
        return lambda value: None if value is None else value.isoformat(" ", "microseconds")[:26]

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """What the database returns, with its time zone."""
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return value
