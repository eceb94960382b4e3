"""How a test deletes, tags and prunes, and looks at what the database still holds."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from cairn.cli import cli
from tests.api.asking import Cairn, Json
from tests.api.gates import BOUND


def value(database: str, query: str) -> int:
    """The number that the query finds."""
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        found = connection.scalar(sa.text(query))
    engine.dispose()
    assert found is not None
    return int(found)


def execute(database: str, *statements: str) -> None:
    """Have the statements executed, outside of transactions."""
    engine = sa.create_engine(database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    engine.dispose()


def literal(database: str, of: Json) -> str:
    """Its id, as SQL of this database writes it."""
    return f"x'{of['id'].replace('-', '')}'" if database.startswith("sqlite") else f"'{of['id']}'"


def rows(database: str, table: str) -> int:
    """How many rows the table has."""
    return value(database, f"SELECT count(*) FROM {table}")


async def _no(database: str, table: str) -> bool:
    return not rows(database, table)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Look again and again until it is true."""
    async with asyncio.timeout(BOUND):
        while not await true():  # noqa: ASYNC110  # it is asked from outside
            await asyncio.sleep(0.05)


async def gone(database: str, table: str) -> None:
    """Wait until the table has no rows."""
    await until(lambda: _no(database, table))


async def tag(cairn: Cairn, checkpoint: Json, *tags: str) -> Json:
    response = await cairn.http.put(f"/checkpoints/{checkpoint['id']}/tags", json={"tags": tags})
    assert response.status_code == 200, response.text
    return dict(response.json())


async def delete(cairn: Cairn, what: str, id_: str) -> httpx.Response:
    return await cairn.http.delete(f"/{what}/{id_}")


async def prune(database: str, *words: str) -> Result:
    words = ("prune", *words, "--database-url", database)
    return await asyncio.to_thread(lambda: CliRunner().invoke(cli, words))


async def ids(cairn: Cairn) -> set[str]:
    return {run["id"] for run in (await cairn.get("/runs", limit=100))["items"]}
