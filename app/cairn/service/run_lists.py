"""Requests for lists of runs."""

from collections.abc import AsyncIterator
from uuid import UUID

from cairn.catalog import Catalog
from cairn.service import answer_types
from cairn.store import run_search, run_views
from cairn.store.database import Database
from cairn.store.pages import Page
from cairn.store.run_filters import RunFilters
from cairn.store.run_views import RunView

AT_A_TIME = 100
"""Runs that are read at a time, of all."""


class RunLists:
    """The requests for lists of runs."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def page(
        self, filters: RunFilters, newest_first: bool, limit: int, after: UUID | None
    ) -> Page[RunView]:
        """A page of runs, in the order in which they were accepted.

        Args:
            filters: the values that the runs must have.
            newest_first: whether the newest run comes first, or the oldest.
            limit: the most runs of the page.
            after: the `next_position` of the page before; `None` for the first page.
        """
        page = await self._database.read(run_views.listed, filters, newest_first, limit, after)
        shown = [answer_types.of_run(self._catalog, run) for run in page.items]
        return Page(shown, page.next_position)

    async def all_pages(
        self, filters: RunFilters, newest_first: bool, most: int | None, after: UUID | None
    ) -> AsyncIterator[Page[RunView]]:
        """All the runs, page by page: no more than a page is held, however many there are.

        Args:
            filters: as in `page`.
            newest_first: as in `page`.
            most: the most runs in all; `None` for all that match.
            after: as in `page`.
        """
        left = most
        while left is None or left > 0:
            limit = AT_A_TIME if left is None else min(left, AT_A_TIME)
            page = await self.page(filters, newest_first, limit, after)
            yield page
            if page.next_position is None:
                return
            after = UUID(page.next_position)
            left = None if left is None else left - len(page.items)

    async def count(self, filters: RunFilters) -> tuple[int, bool]:
        """The number of runs that match, and whether there may be more: as `run_search.count`."""
        return await self._database.read(run_search.count, filters)
