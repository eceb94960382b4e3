"""Runs have a stream: what steps write for watchers, and the attempts that failed.

Of the runs that are there, nothing of that is known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    op.create_table(
        "stream",
        sa.Column("run_id", sa.LargeBinary(16) if is_sqlite else sa.Uuid(), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("step", sa.String()),
        sa.Column("delivery", sa.BigInteger()),
        sa.Column("attempt", sa.Integer()),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("stream_by_delivery", "stream", ["run_id", "delivery", "attempt"])


def downgrade() -> None:
    """There is no way back: restore the copy that was made."""
    raise NotImplementedError("Restore the copy of the database that was made before.")
