"""Checkpoint search: over all runs, in bounded steps.

A page looks at a bounded number of checkpoints, in the order of an index. It may be short, or
empty, and yet have a next position: no request costs more than its bound, whatever the filter.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlmodel import Session, col

from cairn.store import pages, sizes
from cairn.store.blobs import Unpacker
from cairn.store.checkpoint_filters import CheckpointFilters, conditions
from cairn.store.checkpoints import EVENTS, NAMES, SUMMARY, CheckpointSummary, listed, payloads_of
from cairn.store.field_tests import FieldTest
from cairn.store.pages import Page
from cairn.store.tables import Checkpoint, Facets, Run

EXAMINED = 20_000
"""Checkpoints that a page looks at, at most."""

READ = 1_000
"""Checkpoints whose events a page reads for tests of fields, at most."""

STEP = 2_000
"""Checkpoints that one query looks at."""

Key = UUID | int
"""The key of a checkpoint in the order of the search."""


def search(
    session: Session,
    filters: CheckpointFilters,
    newest_first: bool,
    events: bool,
    limit: int,
    after: str | None,
) -> Page[CheckpointSummary]:
    """A page of the checkpoints that match, of all runs.

    Args:
        session: the session.
        filters: the values that the checkpoints must have.
        newest_first: whether the newest checkpoint comes first, rather than the oldest.
        events: whether the checkpoints are shown with their events.
        limit: the number of checkpoints on the page, at most.
        after: the position behind which the page begins; `None` for the first page.
    """
    if filters.match_nothing:
        return Page([], None)
    found: list[Any] = []
    step, left = (READ // 10, READ) if filters.fields else (STEP, EXAMINED)
    with_events = events or bool(filters.fields)
    way = _Way(filters, newest_first)
    last = None if after is None else way.read(after)
    while left > 0 and len(found) <= limit:
        end = _end_of_step(session, way, last, step)
        rows = _matching(session, way, with_events, last, end, limit + 1)
        found += _passing(session, rows, filters.fields)
        cut = len(rows) > limit and len(found) <= limit  # more rows of this step may match
        last = way.of(rows[-1]) if cut else end
        if last is None:
            break
        left -= step
    return _page(session, way, found, events, limit, last)


class _Way:
    """The index in whose order checkpoints are looked at: by a run's `seq`, or by their ids."""

    def __init__(self, filters: CheckpointFilters, newest_first: bool) -> None:
        self.filters = filters
        self._name = "id" if filters.run_id is None else "seq"
        self._column = col(Checkpoint.id if filters.run_id is None else Checkpoint.seq)
        self._newest_first = newest_first

    @property
    def column(self) -> Any:
        """The column of the keys."""
        return self._column

    @property
    def order(self) -> Any:
        """The order of the keys."""
        return self._column.desc() if self._newest_first else self._column

    def read(self, position: str) -> Key:
        """The key of a position."""
        return UUID(position) if self._name == "id" else int(position)

    def of(self, row: Any) -> Key:
        """The key of a row."""
        key: Key = row[NAMES.index(self._name)]
        return key

    def span(self, after: Key | None, end: Key | None) -> list[ColumnElement[bool]]:
        """The conditions that the index serves: the run or the context, and a range of keys."""
        filters, column = self.filters, self._column
        found: list[ColumnElement[bool]] = []
        if filters.run_id is not None:
            found.append(col(Checkpoint.run_id) == filters.run_id)
        if filters.context_id is not None:
            found.append(col(Checkpoint.context_id) == filters.context_id)
        if after is not None:
            found.append(column < after if self._newest_first else column > after)
        if end is not None:
            found.append(column >= end if self._newest_first else column <= end)
        return found


def _page(
    session: Session,
    way: _Way,
    found: Sequence[Any],
    events: bool,
    limit: int,
    last: Key | None,
) -> Page[CheckpointSummary]:
    shown = found if events else [row[: len(SUMMARY)] for row in found]
    size = sizes.of(session, (event for row in shown for event in payloads_of(row)))
    fit = pages.fitting(sum(size[event] for event in payloads_of(row)) for row in shown[:limit])
    items = listed(session, shown[:fit])
    if len(found) > fit:
        return Page(items, str(way.of(shown[fit - 1])))
    return Page(items, None if last is None else str(last))


def _end_of_step(session: Session, way: _Way, after: Key | None, step: int) -> Key | None:
    """The key of the next step's last checkpoint; `None` if no more than a step is left."""
    query = select(way.column).where(*way.span(after, None)).order_by(way.order)
    found: Key | None = session.execute(query.offset(step - 1).limit(1)).scalar()
    return found


def _matching(
    session: Session, way: _Way, events: bool, after: Key | None, end: Key | None, limit: int
) -> Sequence[Any]:
    query = (
        select(*SUMMARY, *(EVENTS if events else ()))
        .join(Facets, col(Facets.id) == Checkpoint.facets_id)
        .join(Run, col(Run.id) == Checkpoint.run_id)
        .where(*way.span(after, end), *conditions(way.filters))
        .order_by(way.order)
        .limit(limit)
    )
    return session.execute(query).all()


def _passing(session: Session, rows: Sequence[Any], tests: Sequence[FieldTest]) -> list[Any]:
    if not tests:
        return list(rows)
    unpacker = Unpacker(session, (payload for row in rows for payload in payloads_of(row)))
    return [
        row
        for row in rows
        if all(test.holds(*map(unpacker.shown, payloads_of(row))) for test in tests)
    ]
