"""Snapshots, read back from the nearest whole one and the deltas since."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlmodel import Session, col, select

from cairn.engine.core.records import Head
from cairn.engine.core.snapshot import Delta, Snapshot
from cairn.engine.language.ctx_state import TRAIL
from cairn.errors import Damaged
from cairn.store.blobs import Unpacker
from cairn.store.tables import Checkpoint, Context, Facets, Run


def at(session: Session, run_id: UUID, seq: int) -> Snapshot:
    """The snapshot at a checkpoint of a run.

    Raises:
        Damaged: the snapshot cannot be read back.
    """
    return _read(session, _payloads(session, run_id, seq))


def around(session: Session, run: Run, seq: int) -> tuple[Snapshot, Snapshot]:
    """The snapshots before and at a checkpoint of a run.

    Raises:
        Damaged: a snapshot cannot be read back.
    """
    *earlier, last = payloads = _payloads(session, run.id, seq)
    if earlier:
        unpacker = Unpacker(session, payloads)
        before = _folded(unpacker, earlier)
        return before, before.after(unpacker.delta(last))
    if seq > 1:
        return at(session, run.id, seq - 1), _read(session, payloads)
    return _base(session, run), _read(session, payloads)


def last_that(
    session: Session, run_id: UUID, before: int, fits: Callable[[Snapshot], bool]
) -> UUID | None:
    """The id of the newest checkpoint before a `seq` whose snapshot fits.

    The search goes back as far as the last whole snapshot; `None` if no snapshot since then fits.

    Args:
        session: the session.
        run_id: the run's id.
        before: the `seq` that the checkpoint must precede.
        fits: tells whether a snapshot fits.

    Raises:
        Damaged: a snapshot cannot be read back.
    """
    if before <= 1:
        return None
    unpacked, newest = Snapshot(), None
    payloads = _payloads(session, run_id, before - 1)
    unpacker = Unpacker(session, payloads)
    for seq, payload in enumerate(payloads, before - len(payloads)):
        unpacked = unpacked.after(unpacker.delta(payload))
        newest = seq if fits(unpacked) else newest
    if newest is None:
        return None
    return session.exec(
        select(Checkpoint.id).where(Checkpoint.run_id == run_id, Checkpoint.seq == newest)
    ).first()


def _payloads(session: Session, run_id: UUID, seq: int) -> list[bytes]:
    """The payloads of the nearest whole snapshot, and of the deltas since."""
    whole = select(Checkpoint.seq).where(
        Checkpoint.run_id == run_id, Checkpoint.seq <= seq, col(Checkpoint.whole).is_not(None)
    )
    nearest = session.exec(whole.order_by(col(Checkpoint.seq).desc()).limit(1)).first()
    if nearest is None:
        raise Damaged(f"Run {run_id} has no whole snapshot any more: the database is damaged.")
    rows = session.exec(
        select(Checkpoint.whole, Checkpoint.delta)
        .where(Checkpoint.run_id == run_id, Checkpoint.seq >= nearest, Checkpoint.seq <= seq)
        .order_by(col(Checkpoint.seq))
    ).all()
    return [rows[0][0] or b"", *(delta for _, delta in rows[1:])]


def _read(session: Session, payloads: Sequence[bytes]) -> Snapshot:
    return _folded(Unpacker(session, payloads), payloads)


def _base(session: Session, run: Run) -> Snapshot:
    """The snapshot that a rerun began with; an empty one for any other run."""
    if run.base is None:
        return Snapshot()
    return Snapshot().after(Unpacker(session, [run.base]).delta(run.base))


def _folded(unpacker: Unpacker, payloads: Sequence[bytes]) -> Snapshot:
    snapshot = Snapshot()
    for payload in payloads:
        snapshot = snapshot.after(unpacker.delta(payload))
    return snapshot


class ResumePoint(NamedTuple):
    """The point from which a run goes on.

    Attributes:
        snapshot: the snapshot there.
        head: the checkpoint there; the origin's of a rerun without a checkpoint of its own.
        whole_bytes: the bytes of the last whole snapshot, as written.
        delta_bytes: the bytes of the deltas since.
        is_changed: whether the snapshot differs from the written one; the next checkpoint is
            written whole then.
    """

    snapshot: Snapshot
    head: Head
    whole_bytes: int = 0
    delta_bytes: int = 0
    is_changed: bool = False

    def renamed(self, names: Mapping[str, str]) -> "ResumePoint":
        """The resume point with steps renamed; the same object if no name occurs in the snapshot.

        Args:
            names: the new names of steps, by their old names.
        """
        snapshot = self.snapshot.renamed(names)
        if snapshot is self.snapshot:
            return self
        return self._replace(snapshot=snapshot, is_changed=True)


def start(session: Session, run: Run) -> ResumePoint:
    """The point from which a run goes on.

    That is the run's head; for a run without a checkpoint the base of a rerun, or the state of the
    run's context.

    Raises:
        Damaged: the snapshot cannot be read back.
    """
    head = session.exec(
        select(Checkpoint.id, Checkpoint.seq)
        .where(Checkpoint.run_id == run.id)
        .order_by(col(Checkpoint.seq).desc())
        .limit(1)
    ).first()
    if head is not None:
        whole, *deltas = payloads = _payloads(session, run.id, head[1])
        sizes = len(whole), sum(map(len, deltas))
        return ResumePoint(_read(session, payloads), Head(*head), *sizes)
    if run.base is not None:
        return ResumePoint(_base(session, run), Head(run.origin_checkpoint_id))
    context = session.get_one(Context, run.context_id)
    state = Unpacker(session, [context.state]).state(context.state) if context.state else {}
    return ResumePoint(Snapshot().with_state(state), Head())


def trail(session: Session, checkpoint: Checkpoint) -> list[tuple[str | None, str | None, Delta]]:
    """The last `TRAIL` checkpoints up to this one, through the runs it was rerun from.

    Returns:
        For each checkpoint, oldest first: the step, the type of the step's event, and the delta.

    Raises:
        Damaged: a delta cannot be read back.
    """
    found: list[tuple[Checkpoint, Facets]] = []
    here: Checkpoint | None = checkpoint
    while here is not None and len(found) < TRAIL:
        rows = session.exec(
            select(Checkpoint, Facets)
            .where(
                Checkpoint.facets_id == Facets.id,
                Checkpoint.run_id == here.run_id,
                Checkpoint.seq <= here.seq,
            )
            .order_by(col(Checkpoint.seq).desc())
            .limit(TRAIL - len(found))
        ).all()
        found += rows
        origin = rows[-1][0].parent_id if rows else None
        here = None if origin is None else session.get(Checkpoint, origin)
        if here is not None and session.get(Run, here.run_id) is None:
            here = None  # the run is being deleted
    unpacker = Unpacker(session, (row.delta for row, _ in found))
    return [
        (facets.last_completed_step, facets.input_event_type, unpacker.delta(row.delta))
        for row, facets in reversed(found)
    ]
