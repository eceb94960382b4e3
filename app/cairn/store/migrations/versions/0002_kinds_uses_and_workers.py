"""Checkpoints by their kind, blobs by their uses, runs by their worker; ids in 16 bytes.

SQLite kept ids and digests as letters. Blobs are counted as used by the runs and contexts whose
payloads name them; a run's start event is no message any more.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

REFERENCE = re.compile(rb'\{"\$blob":"([0-9a-f]{64})"\}')
SOME = 1_000  # rows at a time
UNFINISHED = "status IN ('queued', 'running', 'waiting')"

IDS = {
    "contexts": ["id"],
    "requests": ["made_id"],
    "runs": ["id", "context_id", "parent_run_id", "root_run_id", "origin_checkpoint_id"],
    "checkpoints": ["id", "run_id", "context_id", "parent_id"],
    "messages": ["id", "run_id"],
}
TRAITS = ["workflow", "last_completed_step", "input_event_type", "output_event_type"]
PAYLOADS = [
    ("contexts", "id", ["state"]),
    ("runs", "id", ["start_event", "stop_event", "base"]),
    ("checkpoints", "run_id", ["input_event", "output_event", "delta", "whole"]),
    ("messages", "run_id", ["event"]),
]


def upgrade() -> None:
    """Make them so."""
    _forget_start_messages()
    if _is_sqlite():
        _shorten()
    else:
        op.alter_column(
            "blobs",
            "digest",
            type_=sa.LargeBinary(),
            existing_type=sa.String(),
            existing_nullable=False,
            postgresql_using="decode(digest, 'hex')",
        )
    _make_tables()
    _count_uses()
    _sort_by_kind()
    _give_runs_workers()
    op.create_index("requests_by_made", "requests", ["made_id"])


def downgrade() -> None:
    """There is no way back: restore the copy that was made."""
    raise NotImplementedError("Restore the copy of the database that was made before.")


def _is_sqlite() -> bool:
    return op.get_bind().dialect.name == "sqlite"


def _id() -> sa.types.TypeEngine[Any]:
    return sa.LargeBinary(16) if _is_sqlite() else sa.Uuid()


def _forget_start_messages() -> None:
    """Of a run that has heard nothing, the first message is its start event."""
    rows = op.get_bind().execute(
        sa.text(
            "SELECT messages.id, messages.run_id FROM messages "
            "JOIN runs ON runs.id = messages.run_id WHERE runs.base IS NULL AND NOT EXISTS "
            "(SELECT 1 FROM checkpoints WHERE checkpoints.run_id = runs.id) ORDER BY messages.id"
        )
    )
    first: dict[Any, Any] = {}
    for message, run in rows:
        first.setdefault(run, message)
    for message in first.values():
        op.get_bind().execute(sa.text("DELETE FROM messages WHERE id = :id"), {"id": message})


def _shorten() -> None:
    connection = op.get_bind().connection.driver_connection
    assert connection is not None
    connection.create_function("shortened", 1, lambda text: text and bytes.fromhex(text))
    for table, columns in {**IDS, "blobs": ["digest"]}.items():
        changes = ", ".join(f"{column} = shortened({column})" for column in columns)
        op.execute(f"UPDATE {table} SET {changes}")
        with op.batch_alter_table(table, recreate="always") as batch:
            for column in columns:
                short = sa.LargeBinary() if column == "digest" else _id()
                batch.alter_column(column, type_=short)


def _make_tables() -> None:
    op.create_table(
        "workers",
        sa.Column("id", _id(), primary_key=True),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "kinds",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("workflow", sa.String(), nullable=False),
        *(sa.Column(name, sa.String()) for name in TRAITS[1:]),
    )
    op.create_index("kinds_by_workflow", "kinds", ["workflow"])
    op.create_table(
        "uses",
        sa.Column("owner_id", _id(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), sa.ForeignKey("blobs.digest"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("uses_by_digest", "uses", ["digest"])
    op.create_table(
        "tags",
        sa.Column("checkpoint_id", _id(), primary_key=True),
        sa.Column("tag", sa.String(), primary_key=True),
        sa.Column("run_id", _id(), sa.ForeignKey("runs.id"), nullable=False),
    )
    op.create_index("tags_by_run", "tags", ["run_id"])
    op.create_table("deletions", sa.Column("run_id", _id(), primary_key=True))


def _count_uses() -> None:
    """Who refers to which blob, by all the payloads that there are."""
    bind = op.get_bind()
    use = sa.text(
        "INSERT INTO uses (owner_id, digest) VALUES (:owner, :digest) ON CONFLICT DO NOTHING"
    ).bindparams(sa.bindparam("owner", type_=_id()))
    for table, owner, columns in PAYLOADS:
        for _, owner_id, *payloads in _rows(table, owner, columns):
            for digest in {m for it in payloads for m in REFERENCE.findall(bytes(it or b""))}:
                bind.execute(use, {"owner": owner_id, "digest": bytes.fromhex(digest.decode())})
    bind.execute(sa.text("DELETE FROM blobs WHERE digest NOT IN (SELECT digest FROM uses)"))


def _rows(table: str, owner: str, columns: list[str]) -> Iterator[Any]:
    """The rows' ids, owners and payloads, some at a time."""
    wanted: list[sa.ColumnClause[Any]] = [sa.column(name) for name in ("id", owner, *columns)]
    query = sa.select(*wanted).select_from(sa.table(table))
    after = sa.column("id") > sa.bindparam("after", type_=_id())
    page = query.order_by(sa.column("id")).limit(SOME)
    rows = op.get_bind().execute(page).fetchall()
    while rows:
        yield from rows
        rows = op.get_bind().execute(page.where(after), {"after": rows[-1][0]}).fetchall()


def _sort_by_kind() -> None:
    """What lists are filtered by, from the rows into the kinds."""
    for name in ("step", "input", "output"):
        op.drop_index(f"checkpoints_by_{name}", "checkpoints")
    op.add_column("checkpoints", sa.Column("kind_id", sa.BigInteger()))
    bind = op.get_bind()
    checkpoints = sa.table("checkpoints", sa.column("kind_id"), *map(sa.column, TRAITS))
    kinds = sa.table("kinds", sa.column("id"), *map(sa.column, TRAITS))
    traits = [checkpoints.c[name] for name in TRAITS]
    for row in bind.execute(sa.select(*traits).distinct()).fetchall():
        written = json.dumps(list(row), separators=(",", ":"), ensure_ascii=False).encode()
        kind = int.from_bytes(hashlib.sha256(written).digest()[:8], signed=True)
        bind.execute(kinds.insert(), {"id": kind, **dict(zip(TRAITS, row, strict=True))})
        pairs = zip(traits, row, strict=True)
        same = (column.is_not_distinct_from(value) for column, value in pairs)
        bind.execute(checkpoints.update().where(*same).values(kind_id=kind))
    convention = {"fk": "%(table_name)s_%(column_0_name)s_fkey"}  # as PostgreSQL has it
    with op.batch_alter_table("checkpoints", naming_convention=convention) as batch:
        batch.drop_constraint("checkpoints_run_id_fkey", type_="foreignkey")
        batch.alter_column("kind_id", existing_type=sa.BigInteger(), nullable=False)
        for name in TRAITS:
            batch.drop_column(name)
    op.create_index("checkpoints_by_run_and_kind", "checkpoints", ["run_id", "kind_id", "seq"])
    op.create_index(
        "checkpoints_by_context_and_kind", "checkpoints", ["context_id", "kind_id", "id"]
    )


def _give_runs_workers() -> None:
    op.add_column("runs", sa.Column("worker_id", _id()))
    op.add_column("runs", sa.Column("is_to_cancel", sa.Boolean()))
    op.execute(sa.update(sa.table("runs", sa.column("is_to_cancel"))).values(is_to_cancel=False))
    with op.batch_alter_table("runs") as batch:
        batch.alter_column("is_to_cancel", existing_type=sa.Boolean(), nullable=False)
    for name, columns, condition in (
        ("under_way", ["context_id", "id"], UNFINISHED),
        ("of_worker", ["worker_id", "id"], "worker_id IS NOT NULL"),
        ("of_nobody", ["status", "id"], f"worker_id IS NULL AND {UNFINISHED}"),
        ("to_cancel", ["worker_id"], "is_to_cancel"),
    ):
        where = sa.text(condition)
        op.create_index(f"runs_{name}", "runs", columns, sqlite_where=where, postgresql_where=where)
