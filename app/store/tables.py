"""The tables. Times are UTC; ids are UUIDv7, which sort by the time of their making."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, LargeBinary, String, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlmodel import Field, SQLModel

from app.engine.journal import Status


class UtcTime(TypeDecorator[datetime]):
    """A moment. SQLite drops the time zone, and what is stored is always UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """What the database returns, with its time zone."""
        if isinstance(value, datetime) and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


class Context(SQLModel, table=True):
    """State that runs share; `state` is what the run that ended last has left, as a payload."""

    __tablename__ = "contexts"

    id: UUID = Field(primary_key=True)
    workflow: str
    state: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Run(SQLModel, table=True):
    """One passage through a workflow.

    `start_event` and `stop_event` are payloads; so is `base`, the snapshot that a rerun begins
    with, kept here so that it does not depend on the run it came from.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("runs_by_workflow", "workflow", "id"),
        Index("runs_by_status", "status", "id"),
        Index("runs_by_context", "context_id", "id"),
    )

    id: UUID = Field(primary_key=True)
    workflow: str
    context_id: UUID = Field(foreign_key="contexts.id")
    status: Status = Field(sa_type=String)
    start_event: bytes = Field(sa_type=LargeBinary)
    stop_event: bytes | None = Field(default=None, sa_type=LargeBinary)
    error_type: str | None = None
    error_message: str | None = None
    error_step: str | None = None
    parent_run_id: UUID | None = None
    root_run_id: UUID
    origin_checkpoint_id: UUID | None = None
    base: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcTime)


class Checkpoint(SQLModel, table=True):
    """A run after one more fact.

    `(run_id, seq)` is unique: whoever inserts the next `seq` has moved the run on. `delta` is what
    differs from the parent's snapshot; `whole` is all of it, at a run's first and every so often.
    """

    __tablename__ = "checkpoints"
    __table_args__ = (
        Index("checkpoints_by_run", "run_id", "seq", unique=True),
        Index("checkpoints_by_context", "context_id", "id"),
        Index("checkpoints_by_step", "run_id", "last_completed_step", "seq"),
        Index("checkpoints_by_input", "run_id", "input_event_type", "seq"),
        Index("checkpoints_by_output", "run_id", "output_event_type", "seq"),
    )

    id: UUID = Field(primary_key=True)
    run_id: UUID = Field(foreign_key="runs.id")
    seq: int
    context_id: UUID
    workflow: str
    parent_id: UUID | None = None
    last_completed_step: str | None = None
    input_event_type: str | None = None
    output_event_type: str | None = None
    input_event: bytes | None = Field(default=None, sa_type=LargeBinary)
    output_event: bytes | None = Field(default=None, sa_type=LargeBinary)
    delta: bytes = Field(sa_type=LargeBinary)
    whole: bytes | None = Field(default=None, sa_type=LargeBinary)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Message(SQLModel, table=True):
    """Said to a run from outside, and not yet heard: it goes with the checkpoint of its fact."""

    __tablename__ = "messages"
    __table_args__ = (Index("messages_by_run", "run_id", "id"),)

    id: UUID = Field(primary_key=True)
    run_id: UUID = Field(foreign_key="runs.id")
    event: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Blob(SQLModel, table=True):
    """Bytes too long to stand in a row, by their SHA-256: equal bytes are stored once."""

    __tablename__ = "blobs"

    digest: str = Field(primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)


class Request(SQLModel, table=True):
    """A request that made something, by its idempotency key: repeated, it makes nothing new."""

    __tablename__ = "requests"

    key: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
    body_digest: str
    made_id: UUID
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
