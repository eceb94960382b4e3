"""The tables. Times are UTC; ids are UUIDv7, which sort by the time of their making."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, text
from sqlmodel import Field, SQLModel

from cairn.engine.core.records import Status
from cairn.store.clock import now
from cairn.store.columns import Bytes, Id, UtcTime

UNFINISHED = text("status IN ('queued', 'running', 'waiting')")
NOTED_STATUSES: tuple[Status, ...] = ("failed", "cancelled", "waiting")
"""The statuses of runs that people look for: few of a workflow's runs have one."""

NOTED = text("status IN ('failed', 'cancelled', 'waiting')")
KEEPING = text("keeps_events AND worker_id IS NULL")
INNOCENT = 1
"""The number of workers that may die driving a run before the run is suspected."""

SUSPECTED = text(f"recoveries > {INNOCENT}")


class Worker(SQLModel, table=True):
    """A process that drives runs.

    The process counts `beats` up in every transaction. If the number stands still for too long,
    another process takes the worker for dead and deletes the row; then the worker can commit
    nothing for the runs that it had.
    """

    __tablename__ = "workers"

    id: UUID = Field(primary_key=True, sa_type=Id)
    host: str
    pid: int
    beats: int = Field(default=0, sa_type=BigInteger)
    started_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Context(SQLModel, table=True):
    """State that runs share; `state` is the state left by the run that ended last, as a payload."""

    __tablename__ = "contexts"

    id: UUID = Field(primary_key=True, sa_type=Id)
    workflow: str
    state: bytes | None = Field(default=None, sa_type=Bytes)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Run(SQLModel, table=True):
    """One passage through a workflow.

    `start_event`, `stop_event` and `base` are payloads. `base` is the snapshot that a rerun begins
    with, kept here so that the rerun does not depend on the run it came from. `worker_id` is the
    worker that drives the run; a run that has ended, or waits for its turn in its context, has no
    worker. `recoveries` counts the workers that have died driving the run since its last
    checkpoint.

    `waiting_for` are the questions of a waiting run, as a payload; `wakes_at` is the first moment
    at which the run goes on without an answer. `keeps_events` is true for a waiting run that holds
    events that no step took.

    A run that is no rerun and has completed is in no index of those that serve other filters of
    lists: to start and to complete a run costs no more for them.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("runs_by_workflow", "workflow", "id"),
        Index("runs_by_status", "status", "id"),
        Index("runs_by_context", "context_id", "id"),
        *(
            Index(f"runs_{name}", *columns, sqlite_where=where, postgresql_where=where)
            for name, columns, where in (
                ("under_way", ("context_id", "id"), UNFINISHED),
                ("of_worker", ("worker_id", "id"), text("worker_id IS NOT NULL")),
                ("orphaned", ("status", "id"), text(f"worker_id IS NULL AND {UNFINISHED}")),
                ("to_cancel", ("worker_id",), text("is_to_cancel")),
                ("to_wake", ("wakes_at",), text("wakes_at IS NOT NULL")),
                ("keeping", ("id",), KEEPING),
                ("suspected", ("worker_id", "recoveries", "id"), SUSPECTED),
                ("noted", ("workflow", "status", "id"), NOTED),
                *(
                    (f"by_{name}", (column, "id"), text(f"{guard} IS NOT NULL"))
                    for name, column, guard in (
                        ("parent", "parent_run_id", "parent_run_id"),
                        ("origin", "origin_checkpoint_id", "origin_checkpoint_id"),
                        ("error", "error_type", "error_type"),
                        ("error_step", "error_step", "error_step"),
                    )
                ),
                ("of_root", ("root_run_id", "id"), text("parent_run_id IS NOT NULL")),
            )
        ),
    )

    id: UUID = Field(primary_key=True, sa_type=Id)
    workflow: str
    context_id: UUID = Field(sa_type=Id, sa_column_args=(ForeignKey("contexts.id"),))
    status: Status = Field(sa_type=String)
    worker_id: UUID | None = Field(default=None, sa_type=Id)
    is_to_cancel: bool = False
    recoveries: int = 0
    wakes_at: datetime | None = Field(default=None, sa_type=UtcTime)
    keeps_events: bool = False
    waiting_for: bytes | None = Field(default=None, sa_type=Bytes)
    start_event: bytes = Field(sa_type=Bytes)
    stop_event: bytes | None = Field(default=None, sa_type=Bytes)
    error_type: str | None = None
    error_message: str | None = None
    error_step: str | None = None
    parent_run_id: UUID | None = Field(default=None, sa_type=Id)
    root_run_id: UUID = Field(sa_type=Id)
    origin_checkpoint_id: UUID | None = Field(default=None, sa_type=Id)
    base: bytes | None = Field(default=None, sa_type=Bytes)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
    started_at: datetime | None = Field(default=None, sa_type=UtcTime)
    finished_at: datetime | None = Field(default=None, sa_type=UtcTime)


class Facets(SQLModel, table=True):
    """The facets that checkpoints are filtered by, once for all checkpoints with the same ones.

    Checkpoints are many, and different facets are few: with the id of the facets in a checkpoint's
    row, two indexes serve every combination of filters.
    """

    __tablename__ = "facets"
    __table_args__ = (Index("facets_by_workflow", "workflow"),)

    id: int = Field(primary_key=True, sa_type=BigInteger, sa_column_kwargs={"autoincrement": False})
    workflow: str
    last_completed_step: str | None = None
    input_event_type: str | None = None
    output_event_type: str | None = None


class Checkpoint(SQLModel, table=True):
    """A run after one more fact.

    `(run_id, seq)` is unique: the worker that inserts the next `seq` has moved the run on. `delta`
    is the difference from the parent's snapshot. `whole` is the whole snapshot, at a run's first
    checkpoint and at some later ones. `fact` is the fact, unless the other columns tell it; see
    `RunJournal`. There are no foreign keys, since a row is written at every step.
    """

    __tablename__ = "checkpoints"
    __table_args__ = (
        Index("checkpoints_by_run", "run_id", "seq", unique=True),
        Index("checkpoints_by_context", "context_id", "id"),
        Index("checkpoints_by_run_and_facets", "run_id", "facets_id", "seq"),
        Index("checkpoints_by_context_and_facets", "context_id", "facets_id", "id"),
    )

    id: UUID = Field(primary_key=True, sa_type=Id)
    run_id: UUID = Field(sa_type=Id)
    seq: int
    context_id: UUID = Field(sa_type=Id)
    facets_id: int = Field(sa_type=BigInteger)
    parent_id: UUID | None = Field(default=None, sa_type=Id)
    input_event: bytes | None = Field(default=None, sa_type=Bytes)
    output_event: bytes | None = Field(default=None, sa_type=Bytes)
    delta: bytes = Field(sa_type=Bytes)
    whole: bytes | None = Field(default=None, sa_type=Bytes)
    fact: bytes | None = Field(default=None, sa_type=Bytes)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class StreamEntry(SQLModel, table=True):
    """An entry of a run's stream that is no checkpoint: for watchers, in the order of writing.

    `(seq, number)` is the position: `seq` is the checkpoint before the entry, and `number` counts
    from 1 after each. `kind` is `stream` for an event that a step wrote, `attempt` for a failed
    attempt, and `status` for the begin or the end of a wait. `payload` is the event, the failure
    or the status.
    """

    __tablename__ = "stream"
    __table_args__ = (
        Index("stream_by_delivery", "run_id", "delivery", "attempt"),
        {"sqlite_with_rowid": False},
    )

    run_id: UUID = Field(primary_key=True, sa_type=Id)
    seq: int = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    kind: str
    step: str | None = None
    delivery: int | None = Field(default=None, sa_type=BigInteger)
    attempt: int | None = None
    payload: bytes = Field(sa_type=Bytes)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Message(SQLModel, table=True):
    """A message to a run, unread: the row is deleted with the checkpoint of the message."""

    __tablename__ = "messages"
    __table_args__ = (Index("messages_by_run", "run_id", "id"),)

    id: UUID = Field(primary_key=True, sa_type=Id)
    run_id: UUID = Field(sa_type=Id, sa_column_args=(ForeignKey("runs.id"),))
    event: bytes = Field(sa_type=Bytes)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)


class Blob(SQLModel, table=True):
    """Bytes too long for a row, by their SHA-256: equal bytes are stored once."""

    __tablename__ = "blobs"

    digest: bytes = Field(primary_key=True, sa_type=Bytes)
    content: bytes = Field(sa_type=Bytes)


class BlobRef(SQLModel, table=True):
    """A reference to a blob, by a run or a context: the blob stays as long as it has any."""

    __tablename__ = "blob_refs"
    __table_args__ = (Index("blob_refs_by_digest", "digest"), {"sqlite_with_rowid": False})

    owner_id: UUID = Field(primary_key=True, sa_type=Id)
    digest: bytes = Field(
        primary_key=True, sa_type=Bytes, sa_column_args=(ForeignKey("blobs.digest"),)
    )


class Label(SQLModel, table=True):
    """The name and the note that clients have given to a run, or to a checkpoint of the run.

    `subject_id` is the id of the run or of the checkpoint.
    """

    __tablename__ = "labels"
    __table_args__ = (
        Index("labels_by_run", "run_id"),
        Index(
            "labels_by_name",
            "name",
            "subject_id",
            sqlite_where=text("name IS NOT NULL"),
            postgresql_where=text("name IS NOT NULL"),
        ),
    )

    subject_id: UUID = Field(primary_key=True, sa_type=Id)
    run_id: UUID = Field(sa_type=Id, sa_column_args=(ForeignKey("runs.id"),))
    name: str | None = None
    note: str | None = None


class Tag(SQLModel, table=True):
    """A word that a client has put to a run, or to a checkpoint of the run; such a run is kept.

    `subject_id` is the id of the run or of the checkpoint.
    """

    __tablename__ = "tags"
    __table_args__ = (
        Index("tags_by_run", "run_id"),
        Index("tags_by_tag", "tag", "subject_id"),
    )

    subject_id: UUID = Field(primary_key=True, sa_type=Id)
    tag: str = Field(primary_key=True)
    run_id: UUID = Field(sa_type=Id, sa_column_args=(ForeignKey("runs.id"),))


class Deletion(SQLModel, table=True):
    """A deleted run, whose checkpoints are still being deleted, some at a time."""

    __tablename__ = "deletions"

    run_id: UUID = Field(primary_key=True, sa_type=Id)


class Request(SQLModel, table=True):
    """A request that made a run or a context, by its idempotency key: repeated, it makes none."""

    __tablename__ = "requests"
    __table_args__ = (Index("requests_by_made", "made_id"),)

    key: str = Field(primary_key=True)
    path: str = Field(primary_key=True)
    body_digest: str
    made_id: UUID = Field(sa_type=Id)
    created_at: datetime = Field(default_factory=now, sa_type=UtcTime)
