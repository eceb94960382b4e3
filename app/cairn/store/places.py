"""Places in a run: the checkpoint of a step's execution, or the run's head."""

from uuid import UUID

from sqlalchemy import exists
from sqlmodel import Session, col, select

from cairn.errors import NotBegun, StepNotFound
from cairn.store import facets, not_found
from cairn.store.facets import Filters
from cairn.store.tables import Checkpoint, Facets, Run

DEPTH = 1_000
"""Reruns of reruns through which a step is looked for, at most."""


def head(session: Session, run_id: UUID) -> UUID | None:
    """The id of the run's newest checkpoint; `None` for a rerun without one of its own.

    Raises:
        NotFound: there is no such run.
        NotBegun: the run is no rerun, and has no checkpoint yet.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise not_found.run(run_id)
    newest = select(Checkpoint.id).where(Checkpoint.run_id == run_id)
    found = session.exec(newest.order_by(col(Checkpoint.seq).desc()).limit(1)).first()
    if found is None and run.base is None:
        raise NotBegun(f"Run {run_id} is {run.status}, and has no checkpoint yet to rerun from.")
    return found


def of_step(session: Session, run_id: UUID, step: str, occurrence: int) -> UUID:
    """The id of the checkpoint that a step's completion has left.

    A step that has not completed in the run itself is looked for in the run that it was rerun
    from, up to the checkpoint that it began at, and so on.

    Args:
        session: the session.
        run_id: the run's id.
        step: the name of the step.
        occurrence: 1 for the first completion in the run, -1 for the last.

    Raises:
        NotFound: there is no such run.
        StepNotFound: the step has not completed as many times.
    """
    run = session.get(Run, run_id)
    if run is None:
        raise not_found.run(run_id)
    ids = [] if "\0" in step else facets.matching(session, run.workflow, Filters(step)) or []
    here: UUID | None = run_id
    until, looked_at = None, 0
    while here is not None and looked_at < DEPTH:
        where = [col(Checkpoint.run_id) == here, col(Checkpoint.facets_id).in_(ids)]
        if until is not None:
            where.append(col(Checkpoint.seq) <= until)
        order = col(Checkpoint.seq) if occurrence > 0 else col(Checkpoint.seq).desc()
        found = select(Checkpoint.id).where(*where).order_by(order)
        chosen = session.exec(found.offset(abs(occurrence) - 1).limit(1)).first()
        if chosen is not None:
            return chosen
        if session.exec(found.limit(1)).first() is not None:
            break  # it has completed here, less often
        here, until = _origin(session, here)
        looked_at += 1
    raise StepNotFound(
        f"Step {step[:100]!r} has no completion {occurrence} in run {run_id}. Steps that completed "
        f"there: {', '.join(_steps(session, run)) or 'none'}."
    )


def _origin(session: Session, run_id: UUID) -> tuple[UUID | None, int | None]:
    """The run and the `seq` of the checkpoint that the run was rerun from."""
    of_run = select(Checkpoint.run_id, Checkpoint.seq).join(
        Run, col(Run.origin_checkpoint_id) == Checkpoint.id
    )
    row = session.exec(of_run.where(Run.id == run_id)).first()
    return (None, None) if row is None else (row[0], row[1])


def _steps(session: Session, run: Run) -> list[str]:
    """The names of the steps that have completed in the run itself, by the alphabet."""
    has_any = exists().where(
        col(Checkpoint.run_id) == run.id, col(Checkpoint.facets_id) == Facets.id
    )
    known = select(Facets.last_completed_step).where(Facets.workflow == run.workflow, has_any)
    return sorted({step for step in session.exec(known) if step is not None})
