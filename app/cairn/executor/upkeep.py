"""Upkeep: deletes runs that have been kept long enough, and the remains of deleted runs."""

import asyncio
import contextlib

import structlog

from cairn.errors import Unavailable
from cairn.store import deleting, pruning
from cairn.store.database import Database
from cairn.store.pruning import Pruned, Retention

log = structlog.get_logger(__name__)


class Upkeep:
    """Sweeps at regular times, and prunes if a limit is set."""

    def __init__(self, database: Database, retention: Retention, every_seconds: float) -> None:
        self._database = database
        self._retention = retention
        self._every_seconds = every_seconds
        self._working: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin at once, with the remains that an earlier process has left."""
        self._working = asyncio.create_task(self._work())

    def stop(self) -> None:
        """Stop, and leave the rest for the next start."""
        if self._working is not None:
            self._working.cancel()

    async def _work(self) -> None:
        while True:
            try:
                await sweep(self._database)
                if self._retention.is_limited:
                    await prune(self._database, self._retention)
            except Unavailable:
                pass  # the writer has logged the trouble
            except Exception:  # upkeep must go on as long as the process
                log.exception("upkeep was cut short")
            await asyncio.sleep(self._every_seconds)


async def prune(database: Database, retention: Retention) -> Pruned:
    """Delete all runs that are beyond the limits, and return the numbers of what has gone.

    Raises:
        Unavailable: the database is out of reach.
    """
    runs = contexts = 0
    # Looked for by a reader: among many runs, the search for none takes time.
    while await database.read(pruning.beyond, retention, 1):
        some = await database.write(pruning.prune, retention)
        runs, contexts = runs + some.runs, contexts + some.contexts
    pruned = Pruned(runs, contexts, await sweep(database))
    if runs:
        log.info("pruned", runs=runs, contexts=contexts, checkpoints=pruned.checkpoints)
    return pruned


async def sweep_soon(database: Database) -> None:
    """Sweep now; while the database is out of reach, a later sweep does so.

    The request that has deleted a run is served: a repetition would find no run.
    """
    with contextlib.suppress(Unavailable):
        await sweep(database)


async def sweep(database: Database) -> int:
    """Delete the checkpoints of deleted runs, give the space back, and return their number.

    Raises:
        Unavailable: the database is out of reach.
    """
    checkpoints = 0
    while True:
        swept = await database.write(deleting.sweep)
        if swept is None:
            break
        checkpoints += swept
    await database.compact()
    return checkpoints
