"""What Alembic runs: revisions are applied on the connection it is handed."""

from alembic import context
from sqlmodel import SQLModel

from cairn.store import tables  # noqa: F401  # defines them

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
context.run_migrations()
