"""The service: one method for each request that Cairn serves."""

from cairn.catalog import Catalog
from cairn.executor.watcher import Watcher
from cairn.executor.worker import Worker
from cairn.service.checkpoints import CheckpointRequests
from cairn.service.comparisons import ComparisonRequests
from cairn.service.contexts import ContextRequests
from cairn.service.reruns import RerunRequests
from cairn.service.run_lists import RunLists
from cairn.service.runs import RunRequests
from cairn.service.streams import StreamRequests
from cairn.service.waiting import WaitingRequests
from cairn.store.database import Database


class Service:
    """The requests that Cairn serves, by what they are about.

    A refused request raises a `Refusal`. An accepted request is committed when its method returns.
    """

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        worker: Worker,
        watcher: Watcher,
        streams: StreamRequests,
    ) -> None:
        self.catalog = catalog
        self.streams = streams
        self.runs = RunRequests(database, catalog, worker, watcher)
        self.run_lists = RunLists(database, catalog)
        self.waiting = WaitingRequests(database, catalog)
        self.contexts = ContextRequests(database, catalog)
        self.checkpoints = CheckpointRequests(database)
        self.comparisons = ComparisonRequests(database)
        self.reruns = RerunRequests(database, catalog, worker)
        self._database = database

    async def ping(self) -> None:
        """Check that the database and its writer work.

        Raises:
            Unavailable: the database is out of reach.
            RuntimeError: the writer has ended.
        """
        await self._database.ping()
