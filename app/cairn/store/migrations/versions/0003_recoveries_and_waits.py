"""Runs tell how often their workers have died, what they wait for, and until when.

Of the runs that wait, nothing of that is known: each is woken once, and writes it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them so."""
    op.add_column(
        "runs", sa.Column("recoveries", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column(
        "runs", sa.Column("keeps_events", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("runs", sa.Column("wakes_at", sa.DateTime(timezone=True)))
    op.add_column("runs", sa.Column("waiting_for", sa.LargeBinary()))
    op.execute("UPDATE runs SET wakes_at = CURRENT_TIMESTAMP WHERE status = 'waiting'")
    for name, columns, condition in (
        ("to_wake", ["wakes_at"], "wakes_at IS NOT NULL"),
        ("keeping", ["id"], "keeps_events AND worker_id IS NULL"),
        ("suspected", ["worker_id", "recoveries", "id"], "recoveries > 1"),
    ):
        where = sa.text(condition)
        op.create_index(f"runs_{name}", "runs", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """There is no way back: restore the copy that was made."""
    raise NotImplementedError("Restore the copy of the database that was made before.")
