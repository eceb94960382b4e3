"""Standings: all that can change an answer about a run, read without a payload."""

from dataclasses import dataclass
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import ScalarSelect, func
from sqlmodel import Session, col, select

from cairn.engine.core.records import Status
from cairn.store import annotations, checkpoints, not_found
from cairn.store.annotations import NO_ANNOTATION, Annotation
from cairn.store.checkpoints import CheckpointSummary
from cairn.store.facets import Filters
from cairn.store.pages import Page
from cairn.store.tables import Checkpoint, Run

MOST_WORDS = 1_000
"""Tags and labels of a run that are read for the standing of its lists, at most."""


class RunStanding(NamedTuple):
    """All that can change the view of a run."""

    workflow: str
    status: Status
    checkpoint_count: int
    annotation: Annotation = NO_ANNOTATION


class ListStanding(NamedTuple):
    """All that can change a list of a run's checkpoints.

    Attributes:
        head: the `seq` of the newest checkpoint; 0 without one.
        annotations: the annotations by the checkpoint; `None` if there are more than `MOST_WORDS`.
    """

    head: int
    annotations: list[tuple[UUID, Annotation]] | None


@dataclass(frozen=True, slots=True)
class CheckpointPage(Page[CheckpointSummary]):
    """A page of a run's checkpoints, with the standing of the lists at that moment."""

    standing: ListStanding


class CheckpointStanding(NamedTuple):
    """All that can change the view of a checkpoint, and the workflow of the checkpoint."""

    workflow: str
    annotation: Annotation


def of_run(session: Session, run_id: UUID) -> RunStanding:
    """The standing of a run.

    Raises:
        NotFound: there is no such run.
    """
    query = select(Run.workflow, Run.status, newest_seq()).where(Run.id == run_id)
    found = session.exec(query).first()
    if found is None:
        raise not_found.run(run_id)
    workflow, status, newest = found
    annotation = annotations.read(session, [run_id]).get(run_id, NO_ANNOTATION)
    return RunStanding(workflow, cast(Status, status), newest or 0, annotation)


def of_checkpoint(session: Session, checkpoint_id: UUID) -> CheckpointStanding:
    """The standing of a checkpoint.

    Raises:
        NotFound: there is no such checkpoint, or its run is being deleted.
    """
    of_run = select(Run.workflow).join(Checkpoint, col(Checkpoint.run_id) == Run.id)
    workflow = session.exec(of_run.where(Checkpoint.id == checkpoint_id)).first()
    if workflow is None:
        raise not_found.checkpoint(checkpoint_id)
    annotated = annotations.read(session, [checkpoint_id])
    return CheckpointStanding(workflow, annotated.get(checkpoint_id, NO_ANNOTATION))


def of_list(session: Session, run_id: UUID) -> ListStanding:
    """The standing of the lists of a run's checkpoints.

    Raises:
        NotFound: there is no such run.
    """
    head = of_run(session, run_id).checkpoint_count
    annotated = annotations.in_run(session, run_id, MOST_WORDS)
    return ListStanding(head, None if annotated is None else sorted(annotated.items()))


def page_of_run(
    session: Session, run_id: UUID, filters: Filters, events: bool, limit: int, after: str | None
) -> CheckpointPage:
    """A page of a run's checkpoints, as `checkpoints.of_run`, with the standing of the lists.

    Raises:
        NotFound: there is no such run.
    """
    page = checkpoints.of_run(session, run_id, filters, events, limit, after)
    return CheckpointPage(page.items, page.next_position, of_list(session, run_id))


def newest_seq() -> ScalarSelect[int | None]:
    """The `seq` of a run's newest checkpoint: one look at the end of an index for each run.

    Grouped by run, all the checkpoints of the runs would be looked at.
    """
    newest = select(func.max(Checkpoint.seq)).where(Checkpoint.run_id == Run.id)
    return newest.correlate(Run).scalar_subquery()
