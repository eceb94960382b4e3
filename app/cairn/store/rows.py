"""Rows: the tables for statements without the ORM, where many rows are written."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table

from cairn.store.tables import Checkpoint, Context, Message, Run, StreamEntry

CHECKPOINTS: Table = Checkpoint.__table__  # type: ignore[attr-defined]
CONTEXTS: Table = Context.__table__  # type: ignore[attr-defined]
MESSAGES: Table = Message.__table__  # type: ignore[attr-defined]
RUNS: Table = Run.__table__  # type: ignore[attr-defined]
STREAM: Table = StreamEntry.__table__  # type: ignore[attr-defined]

UNDER_WAY = ("queued", "running", "waiting")

EMPTY = dict.fromkeys(RUNS.columns.keys())


def run_row(
    run_id: UUID,
    workflow: str,
    context_id: UUID,
    start_event: bytes | None,
    worker: UUID | None,
    moment: datetime,
    **others: Any,
) -> dict[str, Any]:
    """The row of a queued run.

    Args:
        run_id: the run's id.
        workflow: the name of the run's workflow.
        context_id: the id of the run's context.
        start_event: the start event, as a payload.
        worker: the worker that is to drive the run; `None` for a run that waits for its turn.
        moment: the moment at which the run was accepted.
        others: other columns, and columns with other values.
    """
    return EMPTY | {
        "id": run_id,
        "workflow": workflow,
        "context_id": context_id,
        "status": "queued",
        "worker_id": worker,
        "is_to_cancel": False,
        "recoveries": 0,
        "keeps_events": False,
        "start_event": start_event,
        "root_run_id": run_id,
        "created_at": moment,
        **others,
    }
