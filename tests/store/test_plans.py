"""Some of very many checkpoints are found by an index, whatever they are filtered by."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from tests.api.asking import serving

SOME = 100
MOST = 1_000
"""Rows that any part of a plan may give, for a page of 50."""

FILTERS: list[dict[str, str]] = [
    {},
    {"last_completed_step": "generate_joke"},
    {"input_event_type": "JokeEvent"},
    {"output_event_type": "StopEvent"},
    {"last_completed_step": "critique_joke", "output_event_type": "StopEvent"},
]
NEW_ID = {"sqlite": "randomblob(16)", "postgresql": "gen_random_uuid()"}


def multiply(engine: sa.Engine, many: int) -> None:
    """Multiply the checkpoints of the only run: very many of its first step, then some of each."""
    new = NEW_ID[engine.dialect.name]
    copies = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number}) "
        "INSERT INTO checkpoints (id, run_id, seq, context_id, facets_id, delta, created_at) "
        f"SELECT {new}, run_id, {{begin}} + 3 * i + seq, context_id, facets_id, delta, created_at "
        "FROM checkpoints CROSS JOIN n WHERE {which}"
    )
    with engine.begin() as connection:
        for number, begin, which in ((many, 3, "seq = 2"), (SOME, 3 * many + 9, "seq <= 3")):
            statement = copies.format(number=number, begin=begin, which=which)
            connection.execute(sa.text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def multiply_rerun(engine: sa.Engine, many: int) -> None:
    """Multiply the only rerun."""
    names = [column["name"] for column in sa.inspect(engine).get_columns("runs")]
    others = ", ".join(name for name in names if name != "id")
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {many}) "
                f"INSERT INTO runs (id, {others}) SELECT {NEW_ID[engine.dialect.name]}, {others} "
                "FROM runs CROSS JOIN n WHERE parent_run_id IS NOT NULL"
            )
        )
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


@contextmanager
def asked(table: str = "checkpoints") -> Iterator[list[tuple[str, Any]]]:
    """What is asked of a table meanwhile, by whatever connection."""
    statements: list[tuple[str, Any]] = []

    def note(_c: Any, _r: Any, statement: str, parameters: Any, *_: Any) -> None:
        if f"FROM {table}" in statement:
            statements.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def check(
    engine: sa.Engine, statement: str, parameters: Any, by: str = "", table: str = "checkpoints"
) -> None:
    """The plan searches indexes, one of this name where it must, and touches few rows."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            lines = [row[3] for row in plan]
            assert not [line for line in lines if line.startswith(f"SCAN {table}")], lines
            searches = [line for line in lines if line.startswith(f"SEARCH {table} USING")]
            assert searches, lines
            assert any(by in line for line in searches), lines
            return
        explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
        [top] = connection.exec_driver_sql(explain, parameters).scalar_one()
    nodes = [top["Plan"]]
    for node in nodes:
        nodes += node.get("Plans", [])
        assert node["Node Type"] != "Seq Scan" or node["Relation Name"] != table, top
        assert node["Actual Rows"] * node["Actual Loops"] <= MOST, top
        assert node.get("Rows Removed by Filter", 0) <= MOST, top


@pytest.mark.parametrize("many", [200_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
async def test_a_page_of_very_many_checkpoints_is_found_by_an_index(
    database_url: str, many: int
) -> None:
    engine = sa.create_engine(database_url)
    async with serving(database_url) as cairn:
        run = await cairn.completed("joke", {"topic": "math"})
        multiply(engine, many)
        paths = [f"/runs/{run['id']}", f"/contexts/{run['context_id']}"]
        for path in (f"{path}/checkpoints" for path in paths):
            for filters in FILTERS:
                with asked() as statements:
                    page = await cairn.get(path, limit=50, **filters)
                    if page["next_cursor"]:
                        await cairn.get(path, limit=50, cursor=page["next_cursor"], **filters)
                assert len(page["items"]) == 50
                assert statements
                for statement, parameters in statements:
                    is_filtered = bool(filters) and "facets_id" in statement
                    check(engine, statement, parameters, "_and_facets" if is_filtered else "")
    engine.dispose()


async def test_a_page_of_very_many_reruns_of_a_run_is_found_by_an_index(database_url: str) -> None:
    engine = sa.create_engine(database_url)
    async with serving(database_url) as cairn:
        run = await cairn.completed("joke", {"topic": "math"})
        first, *_ = await cairn.checkpoints(run)
        await cairn.until(await cairn.rerun(first), "completed")
        multiply_rerun(engine, 50_000)
        with asked("runs") as statements:
            page = await cairn.get(f"/runs/{run['id']}/lineage", limit=50)
            path = f"/runs/{page['items'][-1]['id']}/lineage"
            await cairn.get(path, limit=50, cursor=page["next_cursor"])
        assert len(page["items"]) == 50
        pages = [it for it in statements if "UNION ALL" in it[0]]
        assert len(pages) == 2
        for statement, parameters in pages:
            check(engine, statement, parameters, "runs_of_root", "runs")
    engine.dispose()
