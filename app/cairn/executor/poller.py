"""Poller: looks for changes by other processes, which this process is not told of."""

import asyncio
import os
import time
from collections.abc import Collection, Sequence
from uuid import UUID

import structlog

from cairn.errors import Unavailable
from cairn.executor.notifier import Notifier
from cairn.executor.worker import Worker
from cairn.store import annotations, claims, run_views, workers
from cairn.store.annotations import Annotation
from cairn.store.claims import Found
from cairn.store.database import Database
from cairn.store.run_views import Position
from cairn.store.tables import Worker as Row

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0


class Poller:
    """Looks into the database once a second, for the traces of other processes.

    These are the runs of dead workers, messages to runs that are driven here, cancels of such runs,
    and moves of runs elsewhere that clients of this process wait for.
    """

    def __init__(
        self, database: Database, worker: Worker, notifier: Notifier, lease_seconds: float
    ) -> None:
        self._database = database
        self._worker = worker
        self._notifier = notifier
        self._lease_seconds = lease_seconds
        self._beats: dict[UUID, tuple[int, float]] = {}  # with the time since when they stand still
        self._positions: dict[UUID, Position] = {}  # of awaited runs, at the last round
        self._offered: set[UUID] = set()  # runs that keep events, woken once
        self._trust = 1  # suspected runs that may be begun at once
        self._begun: dict[UUID, float] = {}  # suspected runs, with the time of their begin
        self._rounds: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go round once, and then once a second in a task.

        The first round takes up the runs that an earlier process here has left.

        Raises:
            Unavailable: the database is out of reach.
        """
        for workflow in await self._database.read(claims.unknown, self._worker.workflows.keys()):
            log.warning("runs left alone: their workflow is not loaded", workflow=workflow)
        await self._go_round()
        self._rounds = asyncio.create_task(self._go_round_forever())

    def stop(self) -> None:
        """Stop looking, and take up no more runs."""
        if self._rounds is not None:
            self._rounds.cancel()

    async def _go_round_forever(self) -> None:
        while True:
            await asyncio.sleep(min(ROUND_SECONDS, self._lease_seconds / 3))
            try:
                await self._go_round()
            except Unavailable:
                pass  # the writer has logged the trouble
            except Exception:  # the rounds must go on as long as the process
                log.exception("a round was cut short")

    async def _go_round(self) -> None:
        own = self._database.worker
        assert own is not None
        others = await self._database.read(workers.others, own)
        self._beats = {other.id: self._last_beat(other) for other in others}
        for other in others:
            if self._is_dead(other) and await self._database.write(
                workers.declare_dead, other.id, other.beats
            ):
                log.warning("runs taken over", host=other.host, pid=other.pid)
        await self._take_up(own)
        for found, messages in (await self._database.read(claims.unread_by_run, own)).items():
            await self._tell(found, messages)
        for run_id, annotation in (await self._annotated_elsewhere(own, others)).items():
            self._worker.annotate(run_id, annotation)
        for run_id in await self._database.read(claims.to_cancel, own):
            await self._worker.cancel(run_id)
        await self._notify()

    async def _annotated_elsewhere(
        self, own: UUID, others: Sequence[Row]
    ) -> dict[UUID, Annotation]:
        """The annotations of the runs that are driven here; none without another process."""
        return await self._database.read(annotations.of_worker, own) if others else {}

    async def _take_up(self, own: UUID) -> None:
        """Drive the runs without a worker; suspected runs only if there are no others."""
        loaded = self._worker.workflows.keys()
        found = await self._database.read(claims.orphaned, loaded, own)
        found += await self._with_kept_events(loaded)
        runs = [run for run in found if not self._worker.drives(run.id)]
        for run in runs or await self._suspected(own, loaded):
            self._worker.wake(*run)

    async def _with_kept_events(self, loaded: Collection[str]) -> list[Found]:
        """The runs that hold events that no step took, each run once.

        The code that is loaded here may have a step for these events.
        """
        found = await self._database.read(claims.keeping, loaded)
        new = [run for run in found if run.id not in self._offered]
        self._offered |= {run.id for run in new}
        return new

    async def _suspected(self, own: UUID, loaded: Collection[str]) -> list[Found]:
        """Some of the suspected runs; none if suspected runs were begun lately.

        One run is begun at first, and twice as many each time that all begun runs have left a
        checkpoint. So the run that ends its worker does so alone, or beside few other runs, and
        the innocent runs are soon all under way.
        """
        free = await self._database.read(claims.suspects, None, loaded)
        if not free:
            return []
        now = time.monotonic()
        going_on = await self._database.read(claims.suspects, own, loaded)
        under_way = {run.id for run in going_on}
        self._begun = {id_: when for id_, when in self._begun.items() if id_ in under_way}
        if any(now - begun < self._lease_seconds for begun in self._begun.values()):
            return []
        if self._begun:  # a run with a long step, maybe, or one that ends its worker slowly
            self._trust = 1
        chosen, self._trust = free[: self._trust], 2 * self._trust
        self._begun |= dict.fromkeys((run.id for run in chosen), now)
        return chosen

    async def _notify(self) -> None:
        """Wake the clients that wait for a run of another process, if the run has moved."""
        elsewhere = [id_ for id_ in self._notifier.expected if not self._worker.drives(id_)]
        positions = await self._database.read(run_views.positions, elsewhere) if elsewhere else {}
        moved = [id_ for id_, now in positions.items() if self._positions.get(id_) != now]
        self._positions = positions
        for run in await self._database.read(run_views.several, moved) if moved else ():
            self._notifier.notify(run.id, run)

    async def _tell(self, run: Found, messages: list[UUID]) -> None:
        unread = self._worker.unread(run.id, messages)
        if unread:
            self._worker.tell(*run, await self._database.read(claims.messages, unread))
        elif not self._worker.drives(run.id):
            self._worker.wake(*run)

    def _is_dead(self, other: Row) -> bool:
        """True if the worker has not beaten for the lease, or if its process is gone.

        The clocks of two machines are never compared: the lease is measured here, from the first
        sight of the present number of beats.
        """
        _, since = self._beats[other.id]
        is_here = other.host == workers.host()
        stands_still = time.monotonic() - since >= self._lease_seconds
        return stands_still or (is_here and not _is_running(other.pid))

    def _last_beat(self, other: Row) -> tuple[int, float]:
        beats, since = self._beats.get(other.id, (None, 0.0))
        return other.beats, since if beats == other.beats else time.monotonic()


def _is_running(pid: int) -> bool:
    """True if another process of this machine has that process id."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
