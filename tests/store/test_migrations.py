"""The tables' history ends where the code is."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

from cairn.store import migrations, tables  # noqa: F401  # the tables are defined there
from tests.store.earlier import REVISIONS, fill

RELEASED = sorted(path.stem for path in REVISIONS.glob("*.json"))


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


def schema(engine: sa.Engine) -> dict[str, Any]:
    """All tables, with the names of their columns, keys and indexes as the database has them."""
    found = sa.inspect(engine)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"])
                for column in found.get_columns(table)
            },
            "key": found.get_pk_constraint(table),
            "references": sorted(map(str, found.get_foreign_keys(table))),
            "indexes": {
                str(index["name"]): (
                    index["column_names"],
                    index["unique"],
                    {key: str(value) for key, value in index.get("dialect_options", {}).items()},
                )
                for index in found.get_indexes(table)
            },
        }
        for table in found.get_table_names()
        if table != "alembic_version"
    }


def test_the_newest_revision_has_the_tables_of_the_code(engine: sa.Engine) -> None:
    migrations.upgrade(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, SQLModel.metadata) == []


@pytest.mark.parametrize("revision", [None, *RELEASED])
def test_tables_that_were_upgraded_are_those_that_the_code_would_make(
    engine: sa.Engine, database_url: str, revision: str | None
) -> None:
    SQLModel.metadata.create_all(engine)
    wanted = schema(engine)
    SQLModel.metadata.drop_all(engine)
    if revision is not None:
        fill(database_url, revision)
    migrations.upgrade(engine)
    assert schema(engine) == wanted


def test_upgrading_twice_changes_nothing(engine: sa.Engine) -> None:
    migrations.upgrade(engine)
    before = schema(engine)
    migrations.upgrade(engine)
    assert schema(engine) == before
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == migrations.newest()
