"""Upkeep: deletes what has been kept long enough, and what deleted runs have left behind."""

import asyncio

import structlog

from cairn.errors import Unavailable
from cairn.store import deleting, pruning
from cairn.store.database import Database
from cairn.store.pruning import Pruned, Retention

log = structlog.get_logger(__name__)


class Upkeep:
    """Prunes every so often, if anything is to go at all."""

    def __init__(self, database: Database, retention: Retention, every_seconds: float) -> None:
        self._database = database
        self._retention = retention
        self._every_seconds = every_seconds
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin with what a process that has ended left to be done."""
        self._working = asyncio.create_task(self._work())

    def stop(self) -> None:
        """Leave what is left for the next time."""
        if self._working is not None:
            self._working.cancel()

    async def _work(self) -> None:
        while True:
            try:
                await sweep(self._database)
                if self._retention.is_limited:
                    await prune(self._database, self._retention)
            except Unavailable:
                pass  # the writer has said so
            except Exception:  # this must go on as long as the process
                log.exception("upkeep was cut short")
            await asyncio.sleep(self._every_seconds)


async def prune(database: Database, retention: Retention) -> Pruned:
    """Delete all that is beyond what is kept; what has gone."""
    runs = contexts = 0
    # Looked for by a reader: where there are many, to find none takes time.
    while await database.read(pruning.beyond, retention, 1):
        some = await database.write(pruning.prune, retention)
        runs, contexts = runs + some.runs, contexts + some.contexts
    pruned = Pruned(runs, contexts, await sweep(database))
    if runs:
        log.info("pruned", runs=runs, contexts=contexts, checkpoints=pruned.checkpoints)
    return pruned


async def sweep(database: Database) -> int:
    """Delete what deleted runs have left behind, and give its space back; how many checkpoints."""
    checkpoints = 0
    while True:
        swept = await database.write(deleting.sweep)
        if swept is None:
            break
        checkpoints += swept
    await database.compact()
    return checkpoints
