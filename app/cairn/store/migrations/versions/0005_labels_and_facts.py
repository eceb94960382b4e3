"""Runs and checkpoints have names and notes, runs have tags, and some checkpoints keep their fact.

Of the checkpoints that are there no fact is known: a rerun from one of them cannot adopt.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

NAMED = sa.text("name IS NOT NULL")


def upgrade() -> None:
    """Make them so."""
    id_ = sa.LargeBinary(16) if op.get_bind().dialect.name == "sqlite" else sa.Uuid()
    op.create_table(
        "labels",
        sa.Column("subject_id", id_, primary_key=True),
        sa.Column("run_id", id_, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("name", sa.String()),
        sa.Column("note", sa.String()),
    )
    op.create_index("labels_by_run", "labels", ["run_id"])
    op.create_index(
        "labels_by_name",
        "labels",
        ["name", "subject_id"],
        sqlite_where=NAMED,
        postgresql_where=NAMED,
    )
    op.execute("ALTER TABLE tags RENAME COLUMN checkpoint_id TO subject_id")
    op.create_index("tags_by_tag", "tags", ["tag", "subject_id"])
    op.add_column("checkpoints", sa.Column("fact", sa.LargeBinary()))


def downgrade() -> None:
    """There is no way back: restore the copy that was made."""
    raise NotImplementedError("Restore the copy of the database that was made before.")
