"""Annotations: the names, notes and tags that clients have given to runs and checkpoints.

A run with a tag, or with a tagged checkpoint, is kept.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import Session, col, select

from cairn.store import not_found
from cairn.store.tables import Checkpoint, Label, Run, Tag


class Annotation(NamedTuple):
    """The words of clients about a run or a checkpoint.

    Attributes:
        name: a short name.
        note: a longer text.
        tags: words to filter by, in the order of the alphabet.
    """

    name: str | None = None
    note: str | None = None
    tags: tuple[str, ...] = ()

    def changed(self, changes: Mapping[str, Any]) -> "Annotation":
        """The annotation with other values of the fields that `changes` names."""
        if "tags" in changes:
            changes = {**changes, "tags": tuple(sorted(set(changes["tags"])))}
        return self._replace(**changes)


NO_ANNOTATION = Annotation()


def of_run(session: Session, run_id: UUID, changes: Mapping[str, Any]) -> Annotation:
    """Change the annotation of a run, and return the annotation.

    Args:
        session: the session.
        run_id: the run's id.
        changes: new values by the field's name; fields left out stay as they are.

    Raises:
        NotFound: there is no such run.
    """
    if session.get(Run, run_id, with_for_update=True) is None:  # locked: not deleted meanwhile
        raise not_found.run(run_id)
    return _change(session, run_id, run_id, changes)


def of_checkpoint(session: Session, checkpoint_id: UUID, changes: Mapping[str, Any]) -> Annotation:
    """Change the annotation of a checkpoint, and return the annotation.

    Args:
        session: the session.
        checkpoint_id: the checkpoint's id.
        changes: as in `of_run`.

    Raises:
        NotFound: there is no such checkpoint.
    """
    checkpoint = session.get(Checkpoint, checkpoint_id)
    run = None
    if checkpoint is not None:  # locked, the run is not deleted meanwhile
        run = session.get(Run, checkpoint.run_id, with_for_update=True)
    if run is None:
        raise not_found.checkpoint(checkpoint_id)
    return _change(session, checkpoint_id, run.id, changes)


def _change(
    session: Session, subject_id: UUID, run_id: UUID, changes: Mapping[str, Any]
) -> Annotation:
    before = read(session, [subject_id]).get(subject_id, NO_ANNOTATION)
    after = before.changed(changes)
    session.execute(delete(Tag).where(col(Tag.subject_id) == subject_id))
    session.execute(delete(Label).where(col(Label.subject_id) == subject_id))
    write(session, subject_id, run_id, after)
    return after


def write(session: Session, subject_id: UUID, run_id: UUID, annotation: Annotation) -> None:
    """Store the annotation of a subject that has none.

    Args:
        session: the session.
        subject_id: the id of the run or of the checkpoint.
        run_id: the id of the run, or of the checkpoint's run.
        annotation: the annotation.
    """
    name, note, tags = annotation
    if name is not None or note is not None:
        session.add(Label(subject_id=subject_id, run_id=run_id, name=name, note=note))
    for tag in tags:
        session.add(Tag(subject_id=subject_id, tag=tag, run_id=run_id))
    session.flush()


def read(session: Session, subject_ids: Sequence[UUID]) -> dict[UUID, Annotation]:
    """The annotation of each run or checkpoint that has any, by id."""
    tags: dict[UUID, list[str]] = {}
    query = select(Tag).where(col(Tag.subject_id).in_(subject_ids)).order_by(col(Tag.tag))
    for row in session.exec(query):
        tags.setdefault(row.subject_id, []).append(row.tag)
    found = {id_: Annotation(tags=tuple(words)) for id_, words in tags.items()}
    for label in session.exec(select(Label).where(col(Label.subject_id).in_(subject_ids))):
        known = found.get(label.subject_id, NO_ANNOTATION)
        found[label.subject_id] = known._replace(name=label.name, note=label.note)
    return found


def in_run(session: Session, run_id: UUID, most: int) -> dict[UUID, Annotation] | None:
    """The annotations of a run and its checkpoints, by id; `None` if these have too many words.

    Args:
        session: the session.
        run_id: the run's id.
        most: the number of names and notes, and of tags, at most.
    """
    labelled = select(Label.subject_id).where(Label.run_id == run_id).limit(most + 1)
    tagged = select(Tag.subject_id).where(Tag.run_id == run_id).limit(most + 1)
    subjects = session.exec(labelled).all(), session.exec(tagged).all()
    if max(map(len, subjects)) > most:
        return None
    return read(session, list({*subjects[0], *subjects[1]}))


def of_worker(session: Session, worker: UUID) -> dict[UUID, Annotation]:
    """The annotations of the runs that the worker drives, by the run's id."""
    mine = select(Run.id).where(Run.worker_id == worker)
    labelled = select(Label.run_id).where(col(Label.run_id) == Label.subject_id)
    tagged = select(Tag.run_id).where(col(Tag.run_id) == Tag.subject_id)
    ids = {
        *session.exec(labelled.where(col(Label.run_id).in_(mine))),
        *session.exec(tagged.where(col(Tag.run_id).in_(mine))),
    }
    return read(session, list(ids))
