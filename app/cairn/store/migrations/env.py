"""Alembic's environment: revisions are applied on the connection that Alembic is handed."""

from alembic import context
from sqlmodel import SQLModel

from cairn.store import tables  # noqa: F401  # defines the tables

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
context.run_migrations()
