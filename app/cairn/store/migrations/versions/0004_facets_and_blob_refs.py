"""Tables, columns and indexes are called by the words of the code: facets, references, orphaned.

No row changes. SQLite cannot rename an index, and makes it anew.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UNFINISHED = "status IN ('queued', 'running', 'waiting')"
ORPHANED = f"worker_id IS NULL AND {UNFINISHED}"

INDEXES = [
    ("facets", "kinds_by_workflow", "facets_by_workflow", ["workflow"], None),
    ("blob_refs", "uses_by_digest", "blob_refs_by_digest", ["digest"], None),
    (
        "checkpoints",
        "checkpoints_by_run_and_kind",
        "checkpoints_by_run_and_facets",
        ["run_id", "facets_id", "seq"],
        None,
    ),
    (
        "checkpoints",
        "checkpoints_by_context_and_kind",
        "checkpoints_by_context_and_facets",
        ["context_id", "facets_id", "id"],
        None,
    ),
    ("runs", "runs_of_nobody", "runs_orphaned", ["status", "id"], ORPHANED),
]
CONSTRAINTS = [
    ("facets", "kinds_pkey", "facets_pkey"),
    ("blob_refs", "uses_pkey", "blob_refs_pkey"),
    ("blob_refs", "uses_digest_fkey", "blob_refs_digest_fkey"),
]


def upgrade() -> None:
    """Rename them."""
    op.rename_table("kinds", "facets")
    op.rename_table("uses", "blob_refs")
    op.execute("ALTER TABLE checkpoints RENAME COLUMN kind_id TO facets_id")
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table, before, name, columns, condition in INDEXES:
        if is_sqlite:
            where = None if condition is None else sa.text(condition)
            op.drop_index(before, table)
            op.create_index(name, table, columns, sqlite_where=where)
        else:
            op.execute(f"ALTER INDEX {before} RENAME TO {name}")
    if not is_sqlite:
        for table, before, name in CONSTRAINTS:
            op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {before} TO {name}")


def downgrade() -> None:
    """There is no way back: restore the copy that was made."""
    raise NotImplementedError("Restore the copy of the database that was made before.")
