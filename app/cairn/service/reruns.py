"""Requests that rerun checkpoints."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from uuid import UUID

from cairn import apart
from cairn.catalog import Catalog
from cairn.engine import Event, SerializationError, Workflow, WorkflowRuntimeError
from cairn.engine.core.records import Head, Record
from cairn.engine.core.snapshot import Delivery, Snapshot
from cairn.engine.ids import new_id
from cairn.engine.library.rerun import beginning, recorded
from cairn.engine.library.state_patch import with_patch
from cairn.errors import ChangeDoesNotFit, EventNotTaken, NothingLeftToRun, Problem, StepGone
from cairn.executor.worker import Worker
from cairn.service.events import read_event
from cairn.service.rerun_options import EventFields, Place, RerunOptions
from cairn.store import places, rerun_points, reruns, snapshots
from cairn.store.appending import RunCommit
from cairn.store.clock import now
from cairn.store.database import Database
from cairn.store.journal import RunJournal
from cairn.store.requests import Repeatable
from cairn.store.rerun_points import RerunPoint
from cairn.store.reruns import Packed, Rerun
from cairn.store.runs import Claimed


class RerunRequests:
    """The requests that rerun checkpoints."""

    def __init__(self, database: Database, catalog: Catalog, worker: Worker) -> None:
        self._database = database
        self._catalog = catalog
        self._worker = worker

    async def start(
        self, checkpoint_id: UUID, options: RerunOptions, request: Repeatable | None
    ) -> UUID:
        """Accept a run that begins at a checkpoint.

        Returns:
            The id of the new run.

        Raises:
            NotFound: there is no such checkpoint, or its workflow is not loaded.
            Conflict: nothing is left to run from there, or the workflow has lost a pending step, or
                results that are to be adopted are not known, or the key was used for a different
                request.
            Invalid: a change does not fit.
            Damaged: the checkpoint cannot be read back.
        """
        adopts = options.in_flight == "adopt"
        point = await self._database.read(rerun_points.read, checkpoint_id, with_later=adopts)
        return await self._start(point, options, request)

    async def start_in_run(
        self, run_id: UUID, place: Place, options: RerunOptions, request: Repeatable | None
    ) -> UUID:
        """Accept a run that begins at a place in another run.

        Returns:
            The id of the new run.

        Raises:
            Refusal: as `start`; `StepNotFound` if the step has not completed in the run, and
                `NotBegun` if the run has no checkpoint yet.
        """
        if place.step is None:
            found = await self._database.read(places.head, run_id)
        else:
            step, number = place.step, place.occurrence
            found = await self._database.read(places.of_step, run_id, step, number)
        if found is not None:
            return await self.start(found, options, request)
        point = await self._database.read(rerun_points.begin_of, run_id)
        return await self._start(point, options, request)

    async def _start(
        self, point: RerunPoint, options: RerunOptions, request: Repeatable | None
    ) -> UUID:
        workflow = self._catalog.find(point.run.workflow)
        payload = (options.output_event, options.input_event, options.state, point.snapshot.state)
        packed = await apart.if_large(payload, _packed, workflow, point, options)
        await self._check_steps(workflow, point, packed.rerun.snapshot)
        write = partial(_commit, self._database, workflow)
        run_id, claimed = await self._database.write(reruns.start, packed, request, write)
        self._worker.wake(run_id, point.run.workflow, claimed)
        return run_id

    async def _check_steps(self, workflow: Workflow, point: RerunPoint, snapshot: Snapshot) -> None:
        graph = workflow.graph

        def lost(snapshot: Snapshot) -> list[Delivery]:
            pending = snapshot.renamed(graph.renamed).pending()
            return [delivery for delivery in pending if delivery.step not in graph.steps]

        found = lost(snapshot)
        if not found:
            return
        earlier = await self._database.read(
            snapshots.last_that, point.run.id, point.seq, lambda snapshot: not lost(snapshot)
        )
        instead = "" if earlier is None else f" Or rerun from an earlier checkpoint: {earlier}."
        raise StepGone(graph.lost(found[0]) + instead)


def _commit(
    database: Database, workflow: Workflow, claimed: Claimed, records: Sequence[Record]
) -> RunCommit:
    return RunJournal(database, claimed, workflow.graph.routes).begin(records)


def _packed(workflow: Workflow, point: RerunPoint, options: RerunOptions) -> Packed:
    """The rerun that begins at the checkpoint with these changes.

    Raises:
        NothingLeftToRun: the run had ended at the checkpoint.
        Invalid: a change does not fit.
        FactsUnknown: results that are to be adopted are not known.
    """
    graph = workflow.graph
    point = point.renamed(graph.renamed)
    if options.when == "after" and point.snapshot.stopped is not None:
        raise NothingLeftToRun(
            f"The run had ended at checkpoint {point.id}: nothing is left to run from there. Take "
            'an earlier checkpoint, or say "when": "before" to execute its last step again.'
        )
    output_event = _event(workflow, options.output_event, "output_event")
    input_event = _event(workflow, options.input_event, "input_event")
    given = "output_event" if output_event else "input_event" if input_event else "when"
    with _fitting(given):
        begins = beginning(graph, point, options.in_flight, output_event, options.when, input_event)
    snapshot = begins.snapshot
    if options.state is not None:
        with _fitting("state"):
            snapshot = with_patch(graph, snapshot, options.state)
    origin = point.id if options.when == "after" else point.parent_id
    run_id, moment = new_id(), now()
    records = recorded(graph, run_id, Head(origin), snapshot, begins.facts)
    rerun = Rerun(
        run_id,
        moment,
        point,
        origin,
        snapshot,
        records,
        options.in_new_context,
        options.annotation,
    )
    return reruns.packed(rerun)


def _event(workflow: Workflow, fields: EventFields | None, name: str) -> Event | None:
    """The event of a client.

    Raises:
        EventNotTaken: the workflow knows no such type.
        InvalidEvent: the fields do not make an event of the type.
    """
    if fields is None:
        return None
    type_, data = fields
    kind = workflow.graph.event_type(type_)
    if kind is None:
        names = ", ".join(workflow.graph.events)
        raise EventNotTaken(
            f"Workflow {workflow.name!r} has no event {type_[:100]!r}. It has: {names}.",
            [Problem(("body", name, "type"), f"Name one of these: {names}.")],
        )
    return read_event(kind, data, ("body", name, "data"))


@contextmanager
def _fitting(field: str) -> Iterator[None]:
    """Refuse a change that the engine refuses, and name the field of the body."""
    try:
        yield
    except (WorkflowRuntimeError, SerializationError) as error:
        raise ChangeDoesNotFit(str(error), [Problem(("body", field), str(error))]) from None
