"""Requests about checkpoints."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cairn.store import annotations, checkpoint_search, checkpoints, standings
from cairn.store.checkpoint_filters import CheckpointFilters
from cairn.store.checkpoints import CheckpointDetail, CheckpointSummary
from cairn.store.database import Database
from cairn.store.facets import Filters
from cairn.store.pages import Page
from cairn.store.standings import CheckpointPage, CheckpointStanding, ListStanding


class CheckpointRequests:
    """The requests about checkpoints."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, checkpoint_id: UUID) -> CheckpointDetail:
        """One checkpoint, with its events and its snapshot.

        Raises:
            NotFound: there is no such checkpoint.
        """
        return await self._database.read(checkpoints.read, checkpoint_id)

    async def standing(self, checkpoint_id: UUID) -> CheckpointStanding:
        """All that can change the view of a checkpoint.

        Raises:
            NotFound: there is no such checkpoint.
        """
        return await self._database.read(standings.of_checkpoint, checkpoint_id)

    async def annotate(self, checkpoint_id: UUID, changes: Mapping[str, Any]) -> CheckpointSummary:
        """Change the name, the note or the tags. The run of a tagged checkpoint is kept.

        Args:
            checkpoint_id: the checkpoint's id.
            changes: the new values by the field's name; fields left out stay as they are.

        Raises:
            NotFound: there is no such checkpoint.
        """
        await self._database.write(annotations.of_checkpoint, checkpoint_id, changes)
        return await self._database.read(checkpoints.summary, checkpoint_id)

    async def search(
        self,
        filters: CheckpointFilters,
        newest_first: bool,
        events: bool,
        limit: int,
        after: str | None,
    ) -> Page[CheckpointSummary]:
        """A page of the checkpoints that match, of all runs; see `checkpoint_search.search`."""
        return await self._database.read(
            checkpoint_search.search, filters, newest_first, events, limit, after
        )

    async def of_run(
        self, run_id: UUID, filters: Filters, events: bool, limit: int, after: str | None
    ) -> CheckpointPage:
        """A page of a run's checkpoints, oldest first, with all that can change the page.

        Raises:
            NotFound: there is no such run.
        """
        return await self._database.read(
            standings.page_of_run, run_id, filters, events, limit, after
        )

    async def standing_of_run(self, run_id: UUID) -> ListStanding:
        """All that can change a list of the run's checkpoints.

        Raises:
            NotFound: there is no such run.
        """
        return await self._database.read(standings.of_list, run_id)

    async def of_context(
        self, context_id: UUID, filters: Filters, events: bool, limit: int, after: str | None
    ) -> Page[CheckpointSummary]:
        """A page of a context's checkpoints, oldest first.

        Raises:
            NotFound: there is no such context.
        """
        return await self._database.read(
            checkpoints.of_context, context_id, filters, events, limit, after
        )
