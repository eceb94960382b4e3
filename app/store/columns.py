"""Types of columns: what the two kinds of database keep in different ways."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, TypeDecorator, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine


class Id(TypeDecorator[UUID]):
    """A UUID in 16 bytes, also in SQLite, which would be given 32 letters: half of what an index
    holds is ids."""

    impl = Uuid
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """What the database calls it."""
        is_sqlite = dialect.name == "sqlite"
        return dialect.type_descriptor(LargeBinary(16) if is_sqlite else Uuid())

    def process_bind_param(self, value: UUID | None, dialect: Dialect) -> Any:
        """What the database is given."""
        return value.bytes if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> UUID | None:  # noqa: ARG002
        """What the database returns."""
        return UUID(bytes=value) if isinstance(value, bytes) else value


class UtcTime(TypeDecorator[datetime]):
    """A moment. SQLite drops the time zone, and what is stored is always UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """What the database returns, with its time zone."""
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return value


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def digest_of(content: bytes) -> bytes:
    """What tells bytes from all others: their SHA-256."""
    return hashlib.sha256(content).digest()
