"""The most recent run of a subject, and the records of that run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delivery
from cairn.engine.drawing.lineage import picture_of_run
from cairn.engine.drawing.picture import Picture
from cairn.engine.language.checkpoint import Checkpoint
from cairn.engine.language.context import Context
from cairn.engine.language.graph import Graph
from cairn.engine.library.handler import Handler
from cairn.engine.library.held_context import HeldContext
from cairn.engine.library.workflow import Workflow

NO_RUN = "{} has no run to draw yet: start one with `run`, and draw once its first step is done."


def picture_of_recent(subject: Handler | Context[Any] | Sequence[Checkpoint] | Workflow) -> Picture:
    """Return a picture of the subject's run; of several runs, the one that began last.

    Raises:
        ValueError: there is no run, the checkpoints were read from JSON, or the context is a
            step's.
        TypeError: the subject is of no type that has a run.
    """
    match subject:
        case Handler():
            start = subject.start_snapshot
            known = None if start is None else start.deliveries
            return _of_context(subject.ctx, subject.run_id, known)
        case Context():
            return _of_context(subject)
        case Workflow():
            if subject._recent is None:
                raise ValueError(NO_RUN.format(f"This {type(subject).__name__}"))
            return _of_context(subject._recent)
        case _ if isinstance(subject, Sequence) and all(isinstance(c, Checkpoint) for c in subject):
            return _of_checkpoints(subject)
    raise TypeError(
        "Draw the run of a Handler, a Context, a list of Checkpoints or a Workflow that has run; "
        f"{subject!r} is none of these."
    )


def _of_context(
    ctx: Context[Any], run: str | None = None, known: Mapping[int, Delivery] | None = None
) -> Picture:
    behind = ctx._behind
    if not isinstance(behind, HeldContext):
        raise ValueError("A step cannot draw its own run: draw the handler that `run` has given.")
    name = type(behind.workflow).__name__
    records = behind.runs.journal.records
    runs = [str(record.run) for record in records]
    if not (run in runs if run else runs):
        raise ValueError(NO_RUN.format(f"This {name}" if run else f"This context of {name}"))
    return _of_records(name, behind.workflow.graph, records, run or max(runs), known)


def _of_checkpoints(checkpoints: Sequence[Checkpoint]) -> Picture:
    if not checkpoints:
        raise ValueError(NO_RUN.format("An empty list of checkpoints"))
    # Ids count up with time: this is the newest checkpoint of the run that began last.
    last = max(checkpoints, key=lambda checkpoint: (checkpoint.run_id, checkpoint.id_))
    if last._record is None or last._journal is None:
        raise ValueError(
            "Checkpoints that have been through JSON cannot be drawn: take them from the context "
            "of their run (handler.ctx.checkpoints)."
        )
    newest, name = last._record, last.workflow.split(".")[-1]
    records = [r for r in last._journal.records if r.run != newest.run or r.seq <= newest.seq]
    assert isinstance(last._graph, Graph)  # since the checkpoint was not read from JSON
    return _of_records(name, last._graph, records, last.run_id)


def _of_records(
    name: str,
    graph: Graph,
    records: Iterable[Record],
    run: str,
    known: Mapping[int, Delivery] | None = None,
) -> Picture:
    own = [record for record in records if str(record.run) == run]
    if known is None:
        origins = [record for record in records if record.id == own[0].parent]
        known = origins[0].snapshot.deliveries if origins else {}
    return picture_of_run(name, graph, own, known)
