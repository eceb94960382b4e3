"""Requests about the questions that runs wait on."""

from dataclasses import replace
from uuid import UUID

from cairn.catalog import Catalog
from cairn.service import answer_types
from cairn.store import waiting
from cairn.store.database import Database
from cairn.store.pages import Page
from cairn.store.waiting import AskedQuestion


class WaitingRequests:
    """The requests about the questions that runs wait on."""

    def __init__(self, database: Database, catalog: Catalog) -> None:
        self._database = database
        self._catalog = catalog

    async def listed(
        self, workflow: str | None, context_id: UUID | None, limit: int, after: str | None
    ) -> Page[AskedQuestion]:
        """A page of the questions that nobody has answered: as `waiting.listed`.

        The questions have the types of their answers where the workflow is loaded.
        """
        page = await self._database.read(waiting.listed, workflow, context_id, limit, after)
        return Page([self._typed(asked) for asked in page.items], page.next_position)

    def _typed(self, asked: AskedQuestion) -> AskedQuestion:
        [typed] = answer_types.of_questions(self._catalog, asked.workflow, [asked.question])
        return replace(asked, question=typed)
