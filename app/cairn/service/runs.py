"""Requests about runs."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from cairn import apart
from cairn.catalog import Catalog
from cairn.engine import StartEvent, StopEvent
from cairn.engine.values.extended_json import Json
from cairn.errors import EventNotTaken, Problem
from cairn.executor import upkeep
from cairn.executor.watcher import Watcher
from cairn.executor.worker import Worker
from cairn.service import answer_types
from cairn.service.events import event_of
from cairn.store import annotations, deleting, telling
from cairn.store.database import Database
from cairn.store.requests import Repeatable
from cairn.store.run_views import RunView
from cairn.store.standings import RunStanding


class RunRequests:
    """The requests about runs."""

    def __init__(
        self, database: Database, catalog: Catalog, worker: Worker, watcher: Watcher
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._worker = worker
        self._watcher = watcher

    async def start(
        self,
        workflow: str,
        start_event: Mapping[str, Json],
        context_id: UUID | None,
        may_wait: bool,
        request: Repeatable | None,
    ) -> UUID:
        """Accept a run, which a worker carries forward in the background.

        Args:
            workflow: the name of the workflow.
            start_event: the fields of the workflow's start event.
            context_id: the context of the run; `None` makes one.
            may_wait: whether the run may wait for other runs of the context.
            request: the request, if it has an idempotency key.

        Returns:
            The run's id.

        Raises:
            NotFound: there is no such workflow or context.
            Invalid: the fields do not make a start event.
            Conflict: the context was made for a different workflow; or a run of the context is
                under way, and this one may not wait; or the key was used for a different request.
            Unavailable: the run could not be stored.
        """
        found = self._catalog.find(workflow)
        where = ("body", "start_event")
        event = await apart.if_large(
            start_event, event_of, found, found.graph.start, start_event, where
        )
        return await self._worker.start(workflow, event, context_id, may_wait, request)

    def patience(self, wait_seconds: float) -> float:
        """The seconds that one more request may wait for a run: 0 if too many requests wait."""
        return wait_seconds if self._watcher.has_room else 0

    async def find(
        self,
        run_id: UUID,
        wait_seconds: float = 0,
        *,
        is_new: bool = False,
        after_seq: int | None = None,
    ) -> RunView:
        """The view of a run: now, or at its end or when the run begins to wait for an event.

        Args:
            run_id: the run's id.
            wait_seconds: the longest wait for that; 0 returns the present view.
            is_new: whether to return at once if the run waits already: true for a new run.
            after_seq: the `seq` of a checkpoint; given one, the wait is for a later checkpoint, or
                for the end.

        Raises:
            NotFound: there is no such run.
        """
        if wait_seconds > 0 and after_seq is not None:
            watcher = self._watcher
            return self._shown(await watcher.wait_for_checkpoint(run_id, wait_seconds, after_seq))
        if wait_seconds > 0:
            return self._shown(await self._watcher.wait(run_id, wait_seconds, is_new=is_new))
        return self._shown(await self._watcher.find(run_id))

    async def standing(self, run_id: UUID) -> RunStanding:
        """The present standing of the run, without reading a payload.

        Raises:
            NotFound: there is no such run.
        """
        return await self._watcher.standing(run_id)

    async def send_event(
        self, run_id: UUID, type_: str, data: Mapping[str, Json], request: Repeatable | None
    ) -> None:
        """Send an event to a run: the answer that a step waits for, or an event for steps.

        Args:
            run_id: the run's id.
            type_: the name of the event's type.
            data: the fields of the event.
            request: the request, if it has an idempotency key.

        Raises:
            NotFound: there is no such run, or its workflow is not loaded.
            Invalid: the workflow takes no event of the type, or the fields do not fit.
            Conflict: the run has ended; or no step takes the event, and the run waits for events of
                other types; or the key was used for a different request.
        """
        run = await self._watcher.find(run_id)
        workflow = self._catalog.find(run.workflow)
        kind = workflow.graph.event_type(type_)
        if kind is None or issubclass(kind, (StartEvent, StopEvent)):
            raise EventNotTaken(
                f"{type_!r} is no event that workflow {run.workflow!r} can be told.",
                [Problem(("body", "type"), "Name an event that GET /workflows/{name} lists.")],
            )
        event = await apart.if_large(data, event_of, workflow, kind, data, ("body", "data"))
        message = await self._database.write(telling.tell, run_id, event, request, workflow.graph)
        if message is not None:
            self._worker.tell(run_id, run.workflow, [message])

    async def cancel(self, run_id: UUID) -> None:
        """End a run. A run that has ended stays unchanged.

        Raises:
            NotFound: there is no such run.
            Unavailable: the end could not be stored. The run goes on.
        """
        await self._worker.cancel(run_id)

    async def annotate(self, run_id: UUID, changes: Mapping[str, Any]) -> RunView:
        """Change the name, the note or the tags of a run. A run with a tag is kept.

        Args:
            run_id: the run's id.
            changes: the new values by the field's name; fields left out stay as they are.

        Raises:
            NotFound: there is no such run.
        """
        annotation = await self._database.write(annotations.of_run, run_id, changes)
        self._worker.annotate(run_id, annotation)
        return await self.find(run_id)

    async def delete(self, run_id: UUID) -> None:
        """Delete a run and its checkpoints. Reruns made from it stay.

        Raises:
            NotFound: there is no such run.
            Conflict: the run has not ended, or has a tagged checkpoint.
        """
        await self._database.write(deleting.run, run_id)
        await upkeep.sweep_soon(self._database)

    def _shown(self, run: RunView) -> RunView:
        return answer_types.of_run(self._catalog, run)
