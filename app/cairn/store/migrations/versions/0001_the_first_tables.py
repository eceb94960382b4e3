"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "blobs",
        sa.Column("digest", sa.String(), primary_key=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "contexts",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("state", sa.LargeBinary()),
        _moment("created_at", nullable=False),
    )
    op.create_table(
        "requests",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("path", sa.String(), primary_key=True),
        sa.Column("body_digest", sa.String(), nullable=False),
        sa.Column("made_id", sa.Uuid(), nullable=False),
        _moment("created_at", nullable=False),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("context_id", sa.Uuid(), sa.ForeignKey("contexts.id"), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("start_event", sa.LargeBinary(), nullable=False),
        sa.Column("stop_event", sa.LargeBinary()),
        sa.Column("error_type", sa.String()),
        sa.Column("error_message", sa.String()),
        sa.Column("error_step", sa.String()),
        sa.Column("parent_run_id", sa.Uuid()),
        sa.Column("root_run_id", sa.Uuid(), nullable=False),
        sa.Column("origin_checkpoint_id", sa.Uuid()),
        sa.Column("base", sa.LargeBinary()),
        _moment("created_at", nullable=False),
        _moment("started_at"),
        _moment("finished_at"),
    )
    op.create_index("runs_by_workflow", "runs", ["workflow", "id"])
    op.create_index("runs_by_status", "runs", ["status", "id"])
    op.create_index("runs_by_context", "runs", ["context_id", "id"])
    op.create_table(
        "checkpoints",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("run_id", sa.Uuid(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("context_id", sa.Uuid(), nullable=False),
        sa.Column("workflow", sa.String(), nullable=False),
        sa.Column("parent_id", sa.Uuid()),
        sa.Column("last_completed_step", sa.String()),
        sa.Column("input_event_type", sa.String()),
        sa.Column("output_event_type", sa.String()),
        sa.Column("input_event", sa.LargeBinary()),
        sa.Column("output_event", sa.LargeBinary()),
        sa.Column("delta", sa.LargeBinary(), nullable=False),
        sa.Column("whole", sa.LargeBinary()),
        _moment("created_at", nullable=False),
    )
    op.create_index("checkpoints_by_run", "checkpoints", ["run_id", "seq"], unique=True)
    op.create_index("checkpoints_by_context", "checkpoints", ["context_id", "id"])
    for name, column in (
        ("checkpoints_by_step", "last_completed_step"),
        ("checkpoints_by_input", "input_event_type"),
        ("checkpoints_by_output", "output_event_type"),
    ):
        op.create_index(name, "checkpoints", ["run_id", column, "seq"])
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), primary_key=True),
        sa.Column("run_id", sa.Uuid(), sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("event", sa.LargeBinary(), nullable=False),
        _moment("created_at", nullable=False),
    )
    op.create_index("messages_by_run", "messages", ["run_id", "id"])


def downgrade() -> None:
    """Drop them."""
    for table in ("messages", "checkpoints", "runs", "requests", "contexts", "blobs"):
        op.drop_table(table)


def _moment(name: str, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)
