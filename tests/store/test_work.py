"""How much a database looks at for a page of checkpoints: no more where there are more."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from tests.api.asking import Cairn, Json, serving
from tests.store.test_plans import NEW_ID, asked

MANY = 60_000
EVERY = 5
"""One of so many is tagged."""
MOST_ROWS = 1_000
"""That any part of PostgreSQL's plan may see, for a page of 50."""
MOST_WORK = 20_000
"""Instructions of SQLite's machine for a page of 50: it does not tell what rows it sees."""
LOOK = 100  # instructions between two looks
STEP = {"last_completed_step": "critique_joke"}
ALL = {**STEP, "input_event_type": "JokeEvent", "output_event_type": "StopEvent"}


def multiply(engine: sa.Engine) -> None:
    """Make very many checkpoints of those that there are, in the same runs."""
    copies = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY // 6}) "
        "INSERT INTO checkpoints (id, run_id, seq, context_id, kind_id, delta, created_at) "
        f"SELECT {NEW_ID[engine.dialect.name]}, run_id, seq + 3 * i, context_id, kind_id, delta, "
        "created_at FROM checkpoints CROSS JOIN n WHERE seq <= 3"
    )
    with engine.begin() as connection:
        connection.execute(sa.text(copies))


def tag(engine: sa.Engine, word: str, run: UUID) -> None:
    """Say it of very many of the run's checkpoints."""
    one = run if engine.dialect.name == "postgresql" else run.bytes
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO tags (checkpoint_id, tag, run_id) SELECT id, :word, run_id "
                f"FROM checkpoints WHERE run_id = :run AND seq % {EVERY} = 0"
            ),
            {"word": word, "run": one},
        )


def analyze(engine: sa.Engine) -> None:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def seen(engine: sa.Engine, statement: str, parameters: Any) -> tuple[int, int]:
    """How much the database looks at, and how much it may."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            return instructions(connection, statement, parameters), MOST_WORK
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
        [top] = connection.exec_driver_sql(explain, parameters).scalar_one()
    nodes = [top["Plan"]]
    most = 0
    for node in nodes:
        nodes += node.get("Plans", [])
        rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        most = max(most, round(rows * node["Actual Loops"]))
    return most, MOST_ROWS


def instructions(connection: sa.Connection, statement: str, parameters: Any) -> int:
    """How many instructions SQLite's machine takes for it."""
    driver = connection.connection.driver_connection
    assert driver is not None
    looks: list[None] = []
    driver.set_progress_handler(lambda: looks.append(None), LOOK)
    try:
        driver.execute(statement, parameters).fetchall()
    finally:
        driver.set_progress_handler(None, 0)
    return len(looks) * LOOK


async def look(cairn: Cairn, engine: sa.Engine, path: str, filters: dict[str, str]) -> list[Json]:
    """What the first page has; it and the one after it are read at no more than may be."""
    with asked() as statements:
        page = await cairn.get(path, limit=50, **filters)
        if page["next_cursor"]:
            await cairn.get(path, limit=50, cursor=page["next_cursor"], **filters)
    assert statements
    for statement, parameters in statements:
        much, most = await asyncio.to_thread(seen, engine, statement, parameters)
        assert much <= most, statement
    return list(page["items"])


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """The database, beside the service."""
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize(
    ("filters", "tags_here", "tags_elsewhere", "count"),
    [
        pytest.param({}, None, None, 50, id="all"),
        pytest.param(STEP, None, None, 50, id="by step"),
        pytest.param(ALL, None, None, 50, id="by step and events"),
        pytest.param({"tag": "good"}, "good", None, 50, id="tagged often"),
        pytest.param({"tag": "good"}, None, "good", 1, id="tagged often elsewhere"),
        pytest.param({"tag": "good", **STEP}, "good", None, 50, id="tagged often, by step"),
    ],
)
async def test_a_page_takes_no_more_where_there_are_very_many(
    filters: dict[str, str],
    tags_here: str | None,
    tags_elsewhere: str | None,
    count: int,
    database_url: str,
    engine: sa.Engine,
    subtests: pytest.Subtests,
) -> None:
    async with serving(database_url) as cairn:
        run, other = [await cairn.completed("joke", {"topic": "math"}) for _ in range(2)]
        first = (await cairn.checkpoints(run))[0]
        tags = {"tags": ["good"]}
        assert (await cairn.http.put(f"/checkpoints/{first['id']}/tags", json=tags)).is_success
        await asyncio.to_thread(multiply, engine)
        for word, which in ((tags_here, run), (tags_elsewhere, other)):
            if word is not None:
                await asyncio.to_thread(tag, engine, word, UUID(which["id"]))
        await asyncio.to_thread(analyze, engine)
        for of, id_ in (("runs", run["id"]), ("contexts", run["context_id"])):
            with subtests.test(of):
                found = await look(cairn, engine, f"/{of}/{id_}/checkpoints", filters)
                assert len(found) == count
