"""Some of very many runs are found by an index, whatever they are filtered by."""

import sqlite3
from typing import Any

import pytest
import sqlalchemy as sa

from cairn.store import run_search
from tests.api.asking import Cairn, Json, serving
from tests.store.test_plans import NEW_ID, asked

MANY = 30_000
PAGE = 20
MOST_ROWS = 12 * PAGE
"""Rows that any part of a plan may give on PostgreSQL, for a page."""

MOST_STEPS = 30_000
"""Instructions of SQLite's for a page: a look at every run takes ten times as many."""

COPIED = {
    "status": "'completed'",
    "error_type": "NULL",
    "error_step": "NULL",
    "parent_run_id": "NULL",
    "origin_checkpoint_id": "NULL",
}
"""What most runs have."""


def multiply(engine: sa.Engine, run: str, many: int, **values: str) -> None:
    """Copy a run many times, with these values, under new ids that are later."""
    new = NEW_ID[engine.dialect.name]
    columns = [column["name"] for column in sa.inspect(engine).get_columns("runs")]
    given = {"id": new, **values}
    selected = ", ".join(given.get(name, name) for name in columns)
    which = f"x'{run.replace('-', '')}'" if engine.dialect.name == "sqlite" else f"'{run}'"
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many) "
                f"INSERT INTO runs ({', '.join(columns)}) SELECT {selected} "
                f"FROM runs CROSS JOIN n WHERE runs.id = {which}"
            ),
            {"many": many},
        )


def analyze(engine: sa.Engine) -> None:
    """Tell PostgreSQL how many rows there are; SQLite is served without knowing so."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("ANALYZE"))


def check(engine: sa.Engine, statement: str, parameters: Any) -> None:
    """The statement looks at few rows."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            steps = 0

            def count() -> None:
                nonlocal steps
                steps += 100

            driver.set_progress_handler(count, 100)
            driver.execute(statement, parameters).fetchall()
            driver.set_progress_handler(None, 0)
            plan = driver.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            assert steps <= MOST_STEPS, [line[3] for line in plan]
            return
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
        [top] = connection.exec_driver_sql(explain, parameters).scalar_one()
    nodes = [top["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
        assert node["Actual Rows"] * node["Actual Loops"] <= MOST_ROWS, top
        assert node.get("Rows Removed by Filter", 0) <= MOST_ROWS, top


async def page_is_cheap(cairn: Cairn, engine: sa.Engine, query: Json) -> int:
    """A page and the next one look at few rows; the number of runs on the first."""
    with asked("runs") as statements:
        page = await cairn.get("/runs", limit=PAGE, **query)
        if page["next_cursor"]:
            await cairn.get("/runs", limit=PAGE, cursor=page["next_cursor"], **query)
    assert statements
    for statement, parameters in statements:
        check(engine, statement, parameters)
    return len(page["items"])


async def test_a_page_of_very_many_runs_is_found_by_an_index(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    async with serving(database_url) as cairn:
        done = await cairn.completed("joke", {"topic": "math"})
        first = (await cairn.checkpoints(done))[0]
        rerun = await cairn.until(await cairn.rerun(first), "completed")
        failed = await cairn.ended(await cairn.start("failing", {"fault": "logs"}))
        waits = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
        multiply(engine, done["id"], MANY)
        for run, of in ((rerun, "joke"), (failed, "joke"), (waits, "approval"), (failed, "other")):
            multiply(engine, run["id"], 2 * PAGE, workflow=f"'{of}'")
        multiply(engine, done["id"], 2 * PAGE, workflow="'rare'")
        analyze(engine)
        with pytest.raises(AssertionError):
            check(engine, "SELECT id FROM runs WHERE error_message = 'none'", ())
        several: list[Json] = [
            {},
            {"workflow": "joke"},
            {"workflow": ["joke", "rare", "other"]},
            {"status": "completed"},
            {"status": ["waiting", "failed"]},
            {"workflow": "joke", "status": "failed"},
            {"workflow": ["joke", "approval"], "status": ["failed", "waiting"]},
            {"workflow": "rare", "status": "completed"},
            {"context_id": done["context_id"]},
            {"parent_run_id": done["id"]},
            {"root_run_id": done["id"]},
            {"origin_checkpoint_id": first["id"]},
            {"error_type": "DiskIsFull"},
            {"error_step": "work"},
            {"error_step": ["work", "prepare"], "error_type": "DiskIsFull"},
        ]
        for query in several:
            for order in ("created_at", "-created_at"):
                assert await page_is_cheap(cairn, engine, query | {"order": order}) == PAGE, query
    engine.dispose()


async def test_a_page_of_very_many_questions_is_found_by_an_index(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    async with serving(database_url) as cairn:
        waits = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
        other = await cairn.until(await cairn.start("mid_step", {"amount": 1}), "waiting")
        done = await cairn.completed("counter")
        multiply(engine, done["id"], MANY // 2, workflow="'approval'")
        multiply(engine, waits["id"], MANY // 2)
        multiply(engine, other["id"], 2 * PAGE)
        analyze(engine)
        for query in ({}, {"workflow": "mid_step"}, {"context_id": other["context_id"]}):
            with asked("runs") as statements:
                page = await cairn.get("/waiting", limit=PAGE, **query)
                await cairn.get("/waiting", limit=PAGE, cursor=page["next_cursor"], **query)
            assert len(page["items"]) == PAGE
            assert statements
            for statement, parameters in statements:
                check(engine, statement, parameters)
    engine.dispose()


async def test_where_no_index_serves_a_page_ends_after_some_runs_that_were_looked_at(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "LOOKED_AT", 100)
    monkeypatch.setattr(run_search, "COUNTED_AMONG", 200)
    engine = sa.create_engine(database_url)
    async with serving(database_url) as cairn:
        done = await cairn.completed("joke", {"topic": "math"})
        multiply(engine, done["id"], 300)
        query: Json = {"finished_after": done["finished_at"], "limit": 1000}
        pages = await cairn.pages("/runs", **query)
        assert [len(page) for page in pages] == [100, 100, 100, 1]
        ids = [run["id"] for page in pages for run in page]
        assert len(set(ids)) == 301
        assert ids == sorted(ids, reverse=True)
        count = (await cairn.get("/runs", count="true", **query))["count"]
        assert count == {"value": 200, "relation": "at_least"}
        nothing = await cairn.get("/runs", workflow="joke", error_type="none", order="created_at")
        assert nothing == {"items": [], "next_cursor": None}
        later = await cairn.pages("/runs", finished_after="2999-01-01T00:00:00Z")
        assert later == [[], [], [], []]
    engine.dispose()
