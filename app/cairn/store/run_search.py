"""Run search: the ways by which indexes find the runs that match filters, in their order."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, text, union_all
from sqlmodel import Session

from cairn.engine.core.records import ENDED, Status
from cairn.store.rows import RUNS
from cairn.store.run_filters import RunFilters, bare, conditions, created, storable
from cairn.store.tables import NOTED, NOTED_STATUSES

Conditions = Sequence[Any]

MANY = 40
"""Ways that are searched side by side. If there are more, all runs are searched in their order."""

LOOKED_AT = 10_000
"""Runs that are looked at for one page, where no index serves all the filters."""

COUNTED, COUNTED_AMONG = 10_000, 100_000
"""Runs that are counted, at most; and looked at for that, where no index serves all the filters."""

APART = timedelta(seconds=10)
"""The longest time between a run's id and its `created_at`, which are made one after the other."""

SINGLE = ("origin_checkpoint_id", "parent_run_id", "context_id")
ANY_OF = ("error_step", "error_type", "workflow", "status")
IS_NOTED = text(f"runs.{NOTED}")  # in the words of the index: see `claims.ORPHANED`


class Way(NamedTuple):
    """Some of the runs that match, as an index finds them in the order of their ids.

    Attributes:
        by_index: the conditions that an index serves.
        others: the conditions that a run must meet besides.
        names: the filters that these conditions stand for.
    """

    by_index: Conditions
    others: Conditions = ()
    names: Sequence[str] = ()


class Search(NamedTuple):
    """The search for the runs that match filters: each run is found on one of the ways.

    Attributes:
        ways: the ways.
        exactly: conditions that nearly all the runs meet that the ways find.
        newest_first: the order of the runs, by id.
    """

    ways: list[Way]
    exactly: Conditions
    newest_first: bool

    @property
    def is_served(self) -> bool:
        """True if indexes serve all the filters: hardly a run is looked at in vain."""
        return not any(way.others for way in self.ways)

    def ordered(self, column: Any) -> Any:
        """The order of the runs, by this column of ids."""
        return column.desc() if self.newest_first else column.asc()

    def beyond(self, position: UUID) -> ColumnElement[bool]:
        """The condition of runs behind the position."""
        return RUNS.c.id < position if self.newest_first else RUNS.c.id > position

    def up_to(self, position: UUID) -> ColumnElement[bool]:
        """The condition of runs up to the position, and of the run there."""
        return RUNS.c.id >= position if self.newest_first else RUNS.c.id <= position

    def ids(self, limit: int, *within: ColumnElement[bool]) -> Select[Any]:
        """A query of the ids of the first runs of each way.

        Args:
            limit: the number of runs of each way, at most.
            within: conditions on ids.
        """
        return self._first(
            limit, ([*way.by_index, *way.others, *self.exactly, *within] for way in self.ways)
        )

    def end_of(self, session: Session, number: int, *within: ColumnElement[bool]) -> UUID | None:
        """The id up to which `number` runs are looked at; `None` if there are not as many.

        The runs are those that the indexes find, matching or not.

        Args:
            session: the session.
            number: the number of runs to look at.
            within: conditions on ids.
        """
        found = self._first(number, ([*way.by_index, *within] for way in self.ways)).subquery().c.id
        last = select(found).order_by(self.ordered(found)).offset(number - 1).limit(1)
        return session.scalars(last).first()

    def _first(self, limit: int, ways: Iterator[Conditions]) -> Select[Any]:
        firsts = [
            select(RUNS.c.id).where(*way).order_by(self.ordered(RUNS.c.id)).limit(limit).subquery()
            for way in ways
        ]
        if len(firsts) == 1:
            return select(firsts[0].c.id)
        return select(union_all(*(select(first.c.id) for first in firsts)).subquery().c.id)


def search(filters: RunFilters, newest_first: bool) -> Search:
    """The search for the runs that match the filters."""
    ways = [*_ways(filters)]
    if len(ways) > MANY:
        ways = [Way([])]
    wanted, ranges = conditions(filters), [*_id_range(filters)]
    ways = [
        Way(
            [*way.by_index, *ranges],
            [*way.others, *(it for name, it in wanted.items() if name not in way.names)],
        )
        for way in ways
    ]
    return Search(ways, created(filters), newest_first)


def count(session: Session, filters: RunFilters) -> tuple[int, bool]:
    """The number of runs that match the filters, and whether there may be more.

    At most `COUNTED` runs are counted.
    """
    if filters.match_nothing:
        return 0, False
    found = search(filters, newest_first=True)
    end = None if found.is_served else found.end_of(session, COUNTED_AMONG)
    within = [] if end is None else [found.up_to(end)]
    first = found.ids(COUNTED + 1, *within).limit(COUNTED + 1).subquery()
    number = session.execute(select(func.count()).select_from(first)).scalar_one()
    return min(number, COUNTED), number > COUNTED or end is not None


def _ways(filters: RunFilters) -> Iterator[Way]:
    """Yield the ways by the index that leaves the fewest runs, as a rule."""
    for name in SINGLE:
        if (value := getattr(filters, name)) is not None:
            yield Way([RUNS.c[name] == value], names=[name])
            return
    if (root := filters.root_run_id) is not None:  # no index holds the runs that are no reruns
        is_rerun = RUNS.c.parent_run_id.is_not(None)
        yield Way([RUNS.c.root_run_id == root, is_rerun], names=["root_run_id"])
        yield Way([RUNS.c.id == root, RUNS.c.parent_run_id.is_(None)], names=["root_run_id"])
    elif filters.workflow and filters.status and not (filters.error_step or filters.error_type):
        for workflow, status in product(storable(filters.workflow), dict.fromkeys(filters.status)):
            yield _of_workflow(workflow, status)
    else:
        given = [name for name in ANY_OF if getattr(filters, name)]
        for name in given[:1]:
            for value in storable(getattr(filters, name)):
                yield Way([RUNS.c[name] == value], names=[name])
        if not given:
            yield Way([])


def _of_workflow(workflow: str, status: Status) -> Way:
    """The way to the runs of a workflow with a status.

    Completed runs are most of a workflow's, and runs under way are few of all.
    """
    of_workflow, has_status = RUNS.c.workflow == workflow, RUNS.c.status == status
    names = ("workflow", "status")
    if status in NOTED_STATUSES:
        return Way([of_workflow, has_status, IS_NOTED], names=names)
    if status in ENDED:
        return Way([of_workflow], [bare("status") == status], names)
    return Way([has_status], [bare("workflow") == workflow], names)


def _id_range(filters: RunFilters) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions on ids that runs of these moments meet: an id tells its moment."""
    if filters.created_after is not None:
        yield RUNS.c.id >= _first_id(filters.created_after, -APART)
    before = [it for it in (filters.created_before, filters.finished_before) if it is not None]
    if before:
        yield RUNS.c.id < _first_id(min(before), APART)


def _first_id(moment: datetime, later: timedelta) -> UUID:
    """The least id that can be made (RFC 9562, section 5.7) so much later than the moment."""
    milliseconds = ((moment - datetime(1970, 1, 1, tzinfo=UTC)) + later) // timedelta(
        milliseconds=1
    )
    return UUID(int=max(milliseconds, 0) << 80)
