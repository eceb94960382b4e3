"""Waiting: the open questions of all runs, as a list."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, text
from sqlmodel import Session

from cairn.errors import Damaged
from cairn.store import pages, questions, sizes
from cairn.store.blobs import Unpacker
from cairn.store.pages import Page
from cairn.store.questions import OpenQuestion
from cairn.store.rows import MESSAGES, RUNS
from cairn.store.run_filters import bare
from cairn.store.run_search import IS_NOTED
from cairn.store.tables import UNFINISHED

POSITION = r"(?s)([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?: (\S+) (.*))?"
"""A run's id, and a place among its questions, as a regular expression."""


GOES_ON = text(f"runs.{UNFINISHED}")  # in the words of the index: see `claims.ORPHANED`


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """An open question, and the run that asks."""

    run_id: UUID
    workflow: str
    context_id: UUID
    question: OpenQuestion


def listed(
    session: Session,
    workflow: str | None,
    context_id: UUID | None,
    limit: int,
    after: str | None,
) -> Page[AskedQuestion]:
    """A page of the questions that nobody has answered, of the run accepted first to the last.

    The questions of a run stand together, the oldest first. The order is not that of the
    questions' own moments: these are part of payloads, which no index holds. A run with an unread
    message is left out: it is about to go on, and to tell anew what it waits for.

    Args:
        session: the session.
        workflow: the workflow of the runs; `None` for any.
        context_id: the context of the runs; `None` for any.
        limit: the number of questions on the page, at most.
        after: the position behind which the page begins; `None` for the first page.
    """
    if workflow is not None and "\0" in workflow:  # PostgreSQL cannot be asked for a NUL
        return Page([], None)
    query = _waiting(workflow, context_id)
    run_id, of_run = _position(after)
    if run_id is not None:
        query = query.where(RUNS.c.id > run_id if of_run is None else RUNS.c.id >= run_id)
    rows = session.execute(query.order_by(RUNS.c.id).limit(limit + 1)).all()
    size = sizes.of(session, (row.waiting_for for row in rows))
    fit = pages.fitting(size[row.waiting_for] for row in rows[:limit])
    items: list[AskedQuestion] = []
    unpacker = Unpacker(session, (row.waiting_for for row in rows[:fit]))
    for number, row in enumerate(rows[:fit], 1):
        asked = [*_asked(unpacker, row, of_run if row.id == run_id else None)]
        taken = asked[: limit - len(items)]
        items += taken
        if len(taken) < len(asked):
            return Page(items, _position_of(items[-1]))
        if number < len(rows) and (len(items) == limit or number == fit):
            return Page(items, str(row.id))
    return Page(items, None)


def _waiting(workflow: str | None, context_id: UUID | None) -> Any:
    is_unread = exists().where(MESSAGES.c.run_id == RUNS.c.id)
    columns = (RUNS.c.id, RUNS.c.workflow, RUNS.c.context_id, RUNS.c.waiting_for)
    query = select(*columns).where(~is_unread)
    if context_id is not None:
        query = query.where(RUNS.c.context_id == context_id, GOES_ON, bare("status") == "waiting")
        return query if workflow is None else query.where(bare("workflow") == workflow)
    query = query.where(RUNS.c.status == "waiting")
    return query if workflow is None else query.where(RUNS.c.workflow == workflow, IS_NOTED)


Place = tuple[str, str]
"""The moment and the key of a question, by which those of a run are sorted."""


def _asked(unpacker: Unpacker, row: Any, after: Place | None) -> Iterator[AskedQuestion]:
    """Yield the questions of a run behind a place, in order; none if they are damaged."""
    try:
        found = questions.unpacked(unpacker, row.waiting_for) if row.waiting_for else []
    except Damaged:  # the list must be readable
        found = []
    for question in sorted(found, key=_place):
        if after is None or _place(question) > after:
            yield AskedQuestion(row.id, row.workflow, row.context_id, question)


def _place(question: OpenQuestion) -> Place:
    return question.since.isoformat(timespec="microseconds"), question.key


def _position_of(asked: AskedQuestion) -> str:
    return " ".join((str(asked.run_id), *_place(asked.question)))


def _position(written: str | None) -> tuple[UUID | None, Place | None]:
    """The run of a position, and the place among the questions of the run, if there is one."""
    found = re.fullmatch(POSITION, written) if written is not None else None
    if found is None:
        return None, None
    run, since, key = found.groups()
    return UUID(run), None if since is None else (since, key)
