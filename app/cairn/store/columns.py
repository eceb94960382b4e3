"""Types of columns, for values that SQLite and PostgreSQL keep in different ways."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, TypeDecorator, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles


class Id(Uuid[UUID]):
    """A UUID in 16 bytes, on SQLite too.

    SQLAlchemy would give SQLite 32 letters, and ids are half of what an index holds.
    """

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        """Make the database's value of a Python value."""
        if dialect.name != "sqlite":
            return super().bind_processor(dialect)
        return lambda value: None if value is None else value.bytes

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Make a Python value of the database's value."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)  # type: ignore[no-untyped-call]
        return lambda value: None if value is None else UUID(bytes=value)


@compiles(Id, "sqlite")
def _sqlite_name(*_: Any, **__: Any) -> str:
    return "BLOB"


class Bytes(LargeBinary):
    """Bytes, given to the driver as they are.

    Both drivers take bytes, and every checkpoint has several.
    """

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:
        """Make the database's value of a Python value."""


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite drops the time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Any:
        """Make the database's value: for SQLite the text that SQLAlchemy would make.

        The text is made in a quarter of the time.
        """
        if dialect.name != "sqlite":
            return super().bind_processor(dialect)
        return lambda value: None if value is None else value.isoformat(" ", "microseconds")[:26]

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Make a moment of the database's value, with its time zone."""
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return value
