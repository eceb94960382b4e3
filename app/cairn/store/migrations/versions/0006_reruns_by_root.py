"""The reruns of a root are found by an index. Runs that are no reruns are not in the index."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

RERUN = sa.text("parent_run_id IS NOT NULL")


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "runs_of_root",
        "runs",
        ["root_run_id", "id"],
        sqlite_where=RERUN,
        postgresql_where=RERUN,
    )


def downgrade() -> None:
    """There is no way back: restore the copy that was made."""
    raise NotImplementedError("Restore the copy of the database that was made before.")
