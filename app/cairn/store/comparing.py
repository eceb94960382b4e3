"""Comparing: a checkpoint with another one, and a run with another one, read in one moment."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session, select

from cairn.engine.core.snapshot import Snapshot
from cairn.errors import WorkflowsDiffer
from cairn.store import ancestry, checkpoints, not_found, passages, run_views, snapshots
from cairn.store.ancestry import Line, Link
from cairn.store.blobs import Unpacker
from cairn.store.checkpoints import EVENTS, CheckpointSummary
from cairn.store.passages import Passage
from cairn.store.run_views import RunView
from cairn.store.snapshots import ResumePoint
from cairn.store.tables import Checkpoint, Run


@dataclass(frozen=True, slots=True)
class TwoCheckpoints:
    """A checkpoint and another one, which the first is compared with.

    Attributes:
        checkpoint: the checkpoint as in a list, with its events.
        against: the id of the other checkpoint; `None` for the empty snapshot.
        before: the snapshot at the other checkpoint.
        after: the snapshot at the checkpoint.
        shared_below: the id from which on equal ids of deliveries are a coincidence, since both
            snapshots count on from a common ancestor.
    """

    checkpoint: CheckpointSummary
    against: UUID | None
    before: Snapshot
    after: Snapshot
    shared_below: int


@dataclass(frozen=True, slots=True)
class TwoRuns:
    """Two runs, and the passage of each after the last checkpoint that both share.

    Attributes:
        ends: the snapshots at which the runs stand.
        ancestor: the last checkpoint that both share; `None` for runs that share none.
    """

    runs: tuple[RunView, RunView]
    ends: tuple[Snapshot, Snapshot]
    passages: tuple[Passage, Passage]
    ancestor: Link | None


def two_checkpoints(
    session: Session, checkpoint_id: UUID, against_id: UUID | None
) -> TwoCheckpoints:
    """A checkpoint and another one.

    Args:
        session: the session.
        checkpoint_id: the checkpoint's id.
        against_id: the id of the other checkpoint; `None` for the checkpoint's parent, or for the
            empty snapshot if there is none.

    Raises:
        NotFound: there is no such checkpoint.
        Damaged: a checkpoint cannot be read back.
    """
    row = checkpoints.find(session, checkpoint_id)
    listed = checkpoints.summary(session, checkpoint_id, *EVENTS)
    before, after = snapshots.around(session, session.get_one(Run, row.run_id), row.seq)
    if against_id is not None:
        other = checkpoints.find(session, against_id)
        before = snapshots.at(session, other.run_id, other.seq)
        shared = _shared_below(session, (row, other), (after, before))
        return TwoCheckpoints(listed, against_id, before, after, shared)
    if row.seq == 1 and row.parent_id is not None:  # a rerun may have begun with another state
        before = _origin(session, row.parent_id) or before
    return TwoCheckpoints(listed, row.parent_id, before, after, before.next_id)


def _origin(session: Session, checkpoint_id: UUID) -> Snapshot | None:
    """The snapshot at the origin of a rerun; `None` if the origin is deleted."""
    origin = session.get(Checkpoint, checkpoint_id)
    if origin is None or session.get(Run, origin.run_id) is None:
        return None
    return snapshots.at(session, origin.run_id, origin.seq)


def _shared_below(
    session: Session,
    rows: tuple[Checkpoint, Checkpoint],
    read: tuple[Snapshot, Snapshot],
) -> int:
    """The `shared_below` of two checkpoints."""
    lines = [ancestry.line(session, row.run_id, row.id, row.seq) for row in rows]
    found = ancestry.fork(*lines)
    if found is None:
        return 0
    return min(
        _counted(session, line, before, snapshot)
        for line, before, snapshot in zip(lines, found.before, read, strict=True)
    )


def _counted(session: Session, line: Line, before: int, snapshot: Snapshot) -> int:
    """The next id of a line where it leaves another line, after so many links."""
    base = None
    if before:
        base = session.exec(select(Run.base).where(Run.id == line[before - 1].run_id)).first()
    if base is None:
        return snapshot.next_id
    return int(Unpacker(session, ()).value(base)["next_id"])  # no blob is read for it


def two_runs(session: Session, run_id: UUID, other_id: UUID, most: int) -> TwoRuns:
    """Two runs of one workflow.

    Args:
        session: the session.
        run_id: the id of the one run.
        other_id: the id of the other run.
        most: the number of checkpoints of each run that are read, at most.

    Raises:
        NotFound: there is no such run.
        WorkflowsDiffer: the runs are of different workflows.
        Damaged: the head of a run cannot be read back.
    """
    one, other = _run(session, run_id), _run(session, other_id)
    if one.workflow != other.workflow:
        raise WorkflowsDiffer(
            f"Run {run_id} is one of workflow {one.workflow!r}, and run {other_id} one of "
            f"{other.workflow!r}. Compare runs of the same workflow: GET /runs?workflow= lists "
            "them."
        )
    views = run_views.find(session, run_id), run_views.find(session, other_id)
    starts = snapshots.start(session, one), snapshots.start(session, other)
    lines = [_line(session, run, start) for run, start in zip((one, other), starts, strict=True)]
    found = ancestry.fork(*lines)
    if found is None:
        stretches = [ancestry.whole(line) for line in lines]
    else:
        each = zip(lines, found.before, strict=True)
        stretches = [ancestry.since(line, before, found.at) for line, before in each]
    return TwoRuns(
        views,
        (starts[0].snapshot, starts[1].snapshot),
        (passages.read(session, stretches[0], most), passages.read(session, stretches[1], most)),
        None if found is None or found.at.checkpoint_id is None else found.at,
    )


def _run(session: Session, run_id: UUID) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise not_found.run(run_id)
    return run


def _line(session: Session, run: Run, start: ResumePoint) -> Line:
    """The line that ends where the run stands."""
    own = start.head.seq > 0  # else the head is that of a rerun's origin
    return ancestry.line(session, run.id, start.head.checkpoint if own else None, start.head.seq)
