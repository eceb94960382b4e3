"""Requests that rerun checkpoints."""

from uuid import UUID

from cairn.catalog import Catalog
from cairn.engine import Workflow
from cairn.engine.core.snapshot import Delivery, Snapshot
from cairn.errors import StepGone
from cairn.executor.worker import Worker
from cairn.store import runs, snapshots
from cairn.store.database import Database
from cairn.store.requests import Repeatable
from cairn.store.runs import Origin


class RerunRequests:
    """The requests that rerun checkpoints."""

    def __init__(self, database: Database, catalog: Catalog, worker: Worker) -> None:
        self._database = database
        self._catalog = catalog
        self._worker = worker

    async def start(self, checkpoint_id: UUID, request: Repeatable | None) -> UUID:
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
        await self._check_steps(self._catalog.find(origin.run.workflow), origin)
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
