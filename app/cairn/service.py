"""The service: one method for each request that Cairn serves."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from pydantic import ValidationError

from cairn import apart
from cairn.catalog import Catalog
from cairn.engine import Event, SerializationError, StartEvent, StopEvent, Workflow
from cairn.engine.core.snapshot import Delivery, Snapshot
from cairn.engine.language.dynamic import undeclared
from cairn.engine.near import near
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import (
    EventNotTaken,
    InvalidEvent,
    Problem,
    StepGone,
    Unavailable,
    WorkflowNotLoaded,
    in_words,
)
from cairn.executor import upkeep
from cairn.executor.watcher import Watcher
from cairn.executor.worker import Worker
from cairn.store import checkpoints, contexts, deleting, run_views, runs, snapshots, tags
from cairn.store.checkpoints import CheckpointDetail, CheckpointSummary
from cairn.store.database import Database
from cairn.store.facets import Filters
from cairn.store.pages import Page
from cairn.store.requests import Repeatable
from cairn.store.run_views import RunView
from cairn.store.runs import Origin
from cairn.store.tables import Context


class Service:
    """The requests that Cairn serves.

    A refused request raises a `Refusal`. An accepted request is committed when its method returns.
    """

    def __init__(
        self, database: Database, catalog: Catalog, worker: Worker, watcher: Watcher
    ) -> None:
        self.catalog = catalog
        self._database = database
        self._worker = worker
        self._watcher = watcher

    def workflow(self, name: str) -> Workflow:
        """The workflow of a name.

        Raises:
            NotFound: no workflow of that name is loaded.
        """
        found = self.catalog.workflows.get(name)
        if found is None:
            names = ", ".join(sorted(self.catalog.workflows)) or "none"
            raise WorkflowNotLoaded(
                f"There is no workflow {name[:100]!r}. There are: {names}. "
                "GET /workflows also tells which files could not be loaded."
            )
        return found

    async def create_context(self, workflow: str, request: Repeatable | None) -> Context:
        """Make a context for a workflow.

        Raises:
            NotFound: there is no such workflow.
            Conflict: the idempotency key was used with a different body.
        """
        self.workflow(workflow)
        return await self._database.write(contexts.create, workflow, request)

    async def context(self, context_id: UUID) -> Context:
        """The context.

        Raises:
            NotFound: there is no such context.
        """
        return await self._database.read(contexts.find, context_id)

    async def start_run(
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
        found = self.workflow(workflow)
        where = ("body", "start_event")
        event = await apart.if_large(
            start_event, _event, found, found.graph.start, start_event, where
        )
        return await self._worker.start(workflow, event, context_id, may_wait, request)

    async def rerun(self, checkpoint_id: UUID, request: Repeatable | None) -> UUID:
        """Accept a run that begins at a checkpoint.

        Returns:
            The id of the new run.

        Raises:
            NotFound: there is no such checkpoint, or its workflow is not loaded.
            Conflict: nothing is left to run from there, or the workflow has lost a pending step, or
                the key was used for a different request.
            Damaged: the checkpoint cannot be read back.
        """
        origin = await self._database.read(runs.origin, checkpoint_id)
        await self._check_steps(self.workflow(origin.run.workflow), origin)
        run_id, claimed = await self._database.write(runs.rerun, origin, request)
        self._worker.wake(run_id, origin.run.workflow, claimed)
        return run_id

    async def _check_steps(self, workflow: Workflow, origin: Origin) -> None:
        graph = workflow.graph

        def lost(snapshot: Snapshot) -> list[Delivery]:
            pending = snapshot.renamed(graph.renamed).pending()
            return [delivery for delivery in pending if delivery.step not in graph.steps]

        found = lost(origin.snapshot)
        if not found:
            return
        earlier = await self._database.read(
            snapshots.last_that, origin.run.id, origin.seq, lambda snapshot: not lost(snapshot)
        )
        instead = "" if earlier is None else f" Or rerun from an earlier checkpoint: {earlier}."
        raise StepGone(graph.lost(found[0]) + instead)

    def patience(self, wait_seconds: float) -> float:
        """The seconds that one more request may wait for a run: 0 if too many requests wait."""
        return wait_seconds if self._watcher.has_room else 0

    async def run(self, run_id: UUID, wait_seconds: float = 0, *, is_new: bool = False) -> RunView:
        """The view of a run: now, or at its end or when the run begins to wait for an event.

        Args:
            run_id: the run's id.
            wait_seconds: the longest wait for that; 0 returns the present view.
            is_new: whether to return at once if the run waits already: true for a new run.

        Raises:
            NotFound: there is no such run.
        """
        if wait_seconds > 0:
            return self._shown(await self._watcher.wait(run_id, wait_seconds, is_new=is_new))
        return self._shown(await self._watcher.find(run_id))

    def _shown(self, run: RunView) -> RunView:
        """The run, with the types of the awaited answers if the workflow is loaded."""
        workflow = self.catalog.workflows.get(run.workflow)
        if workflow is None or not run.waiting_for:
            return run
        kind_of = workflow.graph.event_type
        questions = [
            replace(each, answer_type=kind_of(each.event_type)) for each in run.waiting_for
        ]
        return replace(run, waiting_for=questions)

    async def runs(
        self,
        workflow: str | None,
        status: str | None,
        context_id: UUID | None,
        limit: int,
        before: str | None,
    ) -> Page[RunView]:
        """A page of runs, newest first.

        Args:
            workflow: the name of the runs' workflow; `None` selects all.
            status: the status of the runs; `None` selects all.
            context_id: the context of the runs; `None` selects all.
            limit: the most runs of the page.
            before: the `next_position` of the page before; `None` begins with the newest run.
        """
        page = await self._database.read(
            run_views.listed, workflow, status, context_id, limit, before
        )
        return Page([self._shown(run) for run in page.items], page.next_position)

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
        workflow = self.workflow(run.workflow)
        kind = workflow.graph.event_type(type_)
        if kind is None or issubclass(kind, (StartEvent, StopEvent)):
            raise EventNotTaken(
                f"{type_!r} is no event that workflow {run.workflow!r} can be told.",
                [Problem(("body", "type"), "Name an event that GET /workflows/{name} lists.")],
            )
        event = await apart.if_large(data, _event, workflow, kind, data, ("body", "data"))
        message = await self._database.write(runs.tell, run_id, event, request, workflow.graph)
        if message is not None:
            self._worker.tell(run_id, run.workflow, [message])

    async def cancel(self, run_id: UUID) -> None:
        """End a run. A run that has ended stays unchanged.

        Raises:
            NotFound: there is no such run.
            Unavailable: the end could not be stored. The run goes on.
        """
        await self._worker.cancel(run_id)

    async def delete_run(self, run_id: UUID) -> None:
        """Delete a run and its checkpoints. Reruns made from it stay.

        Raises:
            NotFound: there is no such run.
            Conflict: the run has not ended, or has a tagged checkpoint.
        """
        await self._database.write(deleting.run, run_id)
        await self._sweep()

    async def delete_context(self, context_id: UUID) -> None:
        """Delete a context and all its runs.

        Raises:
            NotFound: there is no such context.
            Conflict: a run of the context has not ended, or has a tagged checkpoint.
        """
        await self._database.write(deleting.context, context_id)
        await self._sweep()

    async def _sweep(self) -> None:
        """Delete the rows that a deleted run has left.

        A later sweep does so if the database is out of reach: the request was served, and a
        repetition would find no run.
        """
        with contextlib.suppress(Unavailable):
            await upkeep.sweep(self._database)

    async def checkpoint(self, checkpoint_id: UUID) -> CheckpointDetail:
        """One checkpoint, with its events and its snapshot.

        Raises:
            NotFound: there is no such checkpoint.
        """
        return await self._database.read(checkpoints.read, checkpoint_id)

    async def tag(self, checkpoint_id: UUID, words: Sequence[str]) -> CheckpointSummary:
        """Replace the tags of a checkpoint. The run of a tagged checkpoint is kept.

        Raises:
            NotFound: there is no such checkpoint.
        """
        await self._database.write(tags.put, checkpoint_id, words)
        return await self._database.read(checkpoints.summary, checkpoint_id)

    async def run_checkpoints(
        self, run_id: UUID, filters: Filters, events: bool, limit: int, after: str | None
    ) -> Page[CheckpointSummary]:
        """A page of a run's checkpoints, oldest first.

        Raises:
            NotFound: there is no such run.
        """
        return await self._database.read(checkpoints.of_run, run_id, filters, events, limit, after)

    async def context_checkpoints(
        self, context_id: UUID, filters: Filters, events: bool, limit: int, after: str | None
    ) -> Page[CheckpointSummary]:
        """A page of a context's checkpoints, oldest first.

        Raises:
            NotFound: there is no such context.
        """
        return await self._database.read(
            checkpoints.of_context, context_id, filters, events, limit, after
        )

    async def ping(self) -> None:
        """Check that the database and its writer work.

        Raises:
            Unavailable: the database is out of reach.
            RuntimeError: the writer has ended.
        """
        await self._database.ping()


def _event(
    workflow: Workflow, kind: type[Event], data: Mapping[str, Json], where: tuple[str, ...]
) -> SealedEvent:
    """The event that these fields make.

    Pydantic reads the fields as JSON text: text can be a date there, and a list a set. From Python
    objects, a strict model would refuse these, and a union would take different members.

    Raises:
        InvalidEvent: the fields do not make an event, or cannot be stored.
    """
    unknown = undeclared(kind, data)
    if unknown:
        lacks = f"{kind.__name__} has no such field."
        problems = [
            Problem((*where, name), f"{lacks}{near(name, kind.model_fields)}") for name in unknown
        ]
        raise InvalidEvent(
            f"These fields do not make a {kind.__name__}: {in_words(problems)}", problems
        )
    try:
        event = kind.model_validate_json(json.dumps(data))
    except ValidationError as error:
        problems = [Problem((*where, *e["loc"]), e["msg"]) for e in error.errors()]
        message = f"These fields do not make a {kind.__name__}: {in_words(problems)}."
        raise InvalidEvent(message, problems) from None
    try:
        return workflow.graph.serializer.seal(event)
    except SerializationError as error:  # JSON can be nested deeper than what can be stored
        raise InvalidEvent(str(error), [Problem(where, str(error))]) from None
