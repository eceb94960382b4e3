"""Reruns: runs that begin at a checkpoint, stored."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session

from cairn.engine.core.records import Head, Record
from cairn.engine.core.snapshot import Snapshot, whole
from cairn.store import annotations, appending, blobs, contexts, not_found, requests, workers
from cairn.store.annotations import NO_ANNOTATION, Annotation
from cairn.store.appending import ADD_RUN, RunCommit, leave_states
from cairn.store.blobs import Packer
from cairn.store.requests import Repeatable
from cairn.store.rerun_points import RerunPoint
from cairn.store.rows import run_row
from cairn.store.run_views import new_view
from cairn.store.runs import Claimed
from cairn.store.snapshots import ResumePoint
from cairn.store.tables import Run

Write = Callable[[Claimed, Sequence[Record]], RunCommit]


@dataclass(frozen=True, slots=True)
class Rerun:
    """A rerun that is to be stored.

    Attributes:
        id: the id of the rerun.
        created_at: the moment at which the id was made: lists are ordered by either.
        point: the checkpoint that the rerun begins at.
        origin: the id of the checkpoint whose snapshot the rerun begins with.
        snapshot: the snapshot that the rerun begins with, changed or not.
        records: the checkpoints that the rerun begins with: results that are adopted.
        in_new_context: whether the rerun has a context of its own.
        annotation: the words of the client about the rerun.
    """

    id: UUID
    created_at: datetime
    point: RerunPoint
    origin: UUID | None
    snapshot: Snapshot
    records: Sequence[Record] = ()
    in_new_context: bool = False
    annotation: Annotation = NO_ANNOTATION


@dataclass(frozen=True, slots=True)
class Packed:
    """A rerun with its payloads, which are made outside of the writer.

    Attributes:
        rerun: the rerun.
        base: the snapshot, as a payload.
        state: the state of the snapshot, as a payload, for a context of its own.
        blobs: the blobs that the payloads refer to, by digest.
    """

    rerun: Rerun
    base: bytes
    state: bytes | None
    blobs: dict[bytes, bytes]


def packed(rerun: Rerun) -> Packed:
    """The rerun with its payloads."""
    packer = Packer()
    packer.event(rerun.point.start_event)  # so that the rerun refers to its blob
    base = packer.delta(whole(rerun.snapshot))
    state = packer.state(rerun.snapshot.state) if rerun.in_new_context else None
    return Packed(rerun, base, state, packer.gathered())


def start(
    session: Session, packed: Packed, request: Repeatable | None, write: Write
) -> tuple[UUID, Claimed | None]:
    """Accept a rerun.

    The general way is to store the run and claim the row. A rerun without adopted results is
    claimed here at once, without reading the row back, which takes 1.9 times as long.

    Args:
        session: the session.
        packed: the rerun.
        request: the request, if the request can be repeated.
        write: makes the commit of the rerun's first checkpoints.

    Returns:
        The rerun's id and its claim; for a repeated request, the id of the run made before. The
        claim is `None` if the run is to be claimed by its row.

    Raises:
        NotFound: the checkpoint has been deleted.
        KeyReused: the request is repeated with another body.
    """
    rerun = packed.rerun
    made = requests.made_by(session, request)
    if made is not None:
        return made, None
    source = session.get(Run, rerun.point.run.id, with_for_update=True)
    if source is None:
        raise _gone(rerun.point)
    context_id = source.context_id
    if rerun.in_new_context:
        context_id = contexts.create(session, source.workflow).id
    worker = workers.own(session)
    row = run_row(
        rerun.id,
        source.workflow,
        context_id,
        source.start_event,
        worker,
        rerun.created_at,
        parent_run_id=source.id,
        root_run_id=source.root_run_id,
        origin_checkpoint_id=rerun.origin,
        base=packed.base,
    )
    connection = session.connection()
    connection.execute(ADD_RUN, row)
    blobs.store(connection, {rerun.id: packed.blobs})
    if packed.state is not None:
        leave_states(connection, {context_id: packed.state})
    annotations.write(session, rerun.id, rerun.id, rerun.annotation)
    requests.remember(session, request, rerun.id)
    view = replace(new_view(Run(**row), rerun.point.start_event), annotation=rerun.annotation)
    claimed = Claimed(view, worker, ResumePoint(rerun.snapshot, Head(rerun.origin)), [])
    if not rerun.records:
        return rerun.id, claimed
    session.flush()
    appending.append(connection, worker, [write(claimed, rerun.records)])
    return rerun.id, None


def _gone(point: RerunPoint) -> Exception:
    return not_found.run(point.run.id) if point.id is None else not_found.checkpoint(point.id)
