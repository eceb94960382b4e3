"""Runs are found by what they were rerun from, by their errors, and by workflow and status."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXES = [
    ("noted", ["workflow", "status", "id"], "status IN ('failed', 'cancelled', 'waiting')"),
    ("by_parent", ["parent_run_id", "id"], "parent_run_id IS NOT NULL"),
    ("by_origin", ["origin_checkpoint_id", "id"], "origin_checkpoint_id IS NOT NULL"),
    ("by_error", ["error_type", "id"], "error_type IS NOT NULL"),
    ("by_error_step", ["error_step", "id"], "error_step IS NOT NULL"),
]


def upgrade() -> None:
    """Make the indexes."""
    for name, columns, condition in INDEXES:
        where = sa.text(condition)
        op.create_index(f"runs_{name}", "runs", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """There is no way back: restore the copy that was made."""
    raise NotImplementedError("Restore the copy of the database that was made before.")
