"""Databases as earlier revisions left them, with data in them."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from cairn.store import migrations

REVISIONS = Path(__file__).with_name("revisions")


def fill(url: str, revision: str) -> dict[str, Any]:
    """Make the tables of that revision with its rows in them; which run is which."""
    kept = json.loads((REVISIONS / f"{revision}.json").read_text())
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        tables = sa.MetaData()
        tables.reflect(connection)
        for name, rows in kept["tables"].items():
            table = tables.tables[name]
            typed = [{key: _typed(table.c[key], it) for key, it in row.items()} for row in rows]
            connection.execute(table.insert(), typed)
    engine.dispose()
    return dict(kept["names"])


def _typed(column: sa.Column[Any], value: Any) -> Any:
    """The value as the database's driver wants it."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    if isinstance(value, str) and isinstance(column.type, sa.LargeBinary):
        return bytes.fromhex(value)
    if value is not None and isinstance(column.type, sa.DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    if value is not None and isinstance(column.type, sa.Uuid):
        return UUID(value)
    return value
