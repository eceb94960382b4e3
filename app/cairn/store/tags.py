"""Tags: words that clients have put to checkpoints, which are kept because of the tags."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import Session, col, select

from cairn.store import not_found
from cairn.store.tables import Checkpoint, Run, Tag


def put(session: Session, checkpoint_id: UUID, tags: Sequence[str]) -> None:
    """Replace the checkpoint's tags.

    Raises:
        NotFound: there is no such checkpoint.
    """
    checkpoint = session.get(Checkpoint, checkpoint_id)
    run = None
    if checkpoint is not None:  # locked, the run is not deleted meanwhile
        run = session.get(Run, checkpoint.run_id, with_for_update=True)
    if run is None:
        raise not_found.checkpoint(checkpoint_id)
    session.execute(delete(Tag).where(col(Tag.checkpoint_id) == checkpoint_id))
    for tag in tags:
        session.add(Tag(checkpoint_id=checkpoint_id, tag=tag, run_id=run.id))


def of(session: Session, checkpoint_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The tags of each checkpoint that has any, by id, in the order of the alphabet."""
    found: dict[UUID, list[str]] = {}
    query = select(Tag).where(col(Tag.checkpoint_id).in_(checkpoint_ids)).order_by(col(Tag.tag))
    for row in session.exec(query):
        found.setdefault(row.checkpoint_id, []).append(row.tag)
    return found
