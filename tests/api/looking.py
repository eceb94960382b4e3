"""What a test looks up in the database itself, behind the service's back."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from tests.api.gates import BOUND


def ask(url: str, statement: str) -> list[tuple[object, ...]]:
    """The rows that a statement gives."""
    engine = create_engine(make_url(url))
    try:
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        engine.dispose()


TABLES = (
    "contexts",
    "runs",
    "checkpoints",
    "stream",
    "messages",
    "blobs",
    "blob_refs",
    "labels",
    "tags",
    "deletions",
)
"""The tables that runs leave something in."""


def counts(url: str) -> dict[str, object]:
    """How many rows there are in each of these tables."""
    return {table: ask(url, f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def size(file: Path) -> int:
    """How large a database of SQLite's is, in bytes, with what it has logged."""
    log = Path(f"{file}-wal")
    return file.stat().st_size + (log.stat().st_size if log.exists() else 0)


async def until(true: Callable[[], bool]) -> None:
    """Look again and again until it is true."""
    async with asyncio.timeout(BOUND):
        while not true():  # noqa: ASYNC110  # the database does not call
            await asyncio.sleep(0.01)
