"""Requests about contexts."""

from uuid import UUID

from cairn.catalog import Catalog
from cairn.executor import upkeep
from cairn.store import contexts, deleting
from cairn.store.database import Database
from cairn.store.requests import Repeatable
from cairn.store.tables import Context


class ContextRequests:
    """The requests about contexts."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def create(self, workflow: str, request: Repeatable | None) -> Context:
        """Make a context for a workflow.

        Raises:
            NotFound: there is no such workflow.
            Conflict: the idempotency key was used with a different body.
        """
        self._catalog.find(workflow)
        return await self._database.write(contexts.create, workflow, request)

    async def find(self, context_id: UUID) -> Context:
        """The context.

        Raises:
            NotFound: there is no such context.
        """
        return await self._database.read(contexts.find, context_id)

    async def delete(self, context_id: UUID) -> None:
        """Delete a context and all its runs.

        Raises:
            NotFound: there is no such context.
            Conflict: a run of the context has not ended, or has a tagged checkpoint.
        """
        await self._database.write(deleting.context, context_id)
        await upkeep.sweep_soon(self._database)
