"""Poller: looks for what this process is not told of, because another process has done it."""

import asyncio
import os
import time
from collections.abc import Collection
from uuid import UUID

import structlog

from cairn.errors import Unavailable
from cairn.executor.notifier import Notifier
from cairn.executor.worker import Worker
from cairn.store import claims, run_views, workers
from cairn.store.claims import Found
from cairn.store.database import Database
from cairn.store.run_views import Position
from cairn.store.tables import Worker as Row

log = structlog.get_logger(__name__)

ROUND_SECONDS = 1.0


class Poller:
    """Goes round once a second, for what other processes leave behind: dead workers' runs,
    messages to runs that are driven here, cancels, and how runs stand that are waited for here."""

    def __init__(
        self, database: Database, worker: Worker, notifier: Notifier, lease_seconds: float
    ) -> None:
        self._database = database
        self._worker = worker
        self._notifier = notifier
        self._lease_seconds = lease_seconds
        self._beats: dict[UUID, tuple[int, float]] = {}  # beats, and since when
        self._positions: dict[UUID, Position] = {}  # of awaited runs, at the last round
        self._offered: set[UUID] = set()  # runs that keep events, and were woken for them
        self._trust = 1  # how many of them may be begun at once
        self._begun: dict[UUID, float] = {}  # runs that are suspected, and when
        self._walking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go round once, which takes up all that this process has left at its last end, and from
        then on."""
        for workflow in await self._database.read(claims.unknown, self._worker.workflows.keys()):
            log.warning("runs left alone: their workflow is not loaded", workflow=workflow)
        await self._go_round()
        self._walking = asyncio.create_task(self._walk())

    def stop(self) -> None:
        """Take up nothing more."""
        if self._walking is not None:
            self._walking.cancel()

    async def _walk(self) -> None:
        while True:
            await asyncio.sleep(min(ROUND_SECONDS, self._lease_seconds / 3))
            try:
                await self._go_round()
            except Unavailable:
                pass  # the writer has said so
            except Exception:  # this must go on as long as the process
                log.exception("a round was cut short")

    async def _go_round(self) -> None:
        own = self._database.worker
        assert own is not None
        others = await self._database.read(workers.others, own)
        self._beats = {other.id: self._sight(other) for other in others}
        for other in others:
            if self._is_dead(other) and await self._database.write(
                workers.declare_dead, other.id, other.beats
            ):
                log.warning("runs taken over", host=other.host, pid=other.pid)
        await self._take_up(own)
        for found, messages in (await self._database.read(claims.unread_by_run, own)).items():
            await self._tell(found, messages)
        for run_id in await self._database.read(claims.to_cancel, own):
            await self._worker.cancel(run_id)
        await self._ring()

    async def _take_up(self, own: UUID) -> None:
        """Drive what nobody drives; and where there is nothing else, what is suspected."""
        loaded = self._worker.workflows.keys()
        found = await self._database.read(claims.orphaned, loaded, own)
        found += await self._keeping(loaded)
        runs = [it for it in found if not self._worker.drives(it.id)]
        for run in runs or await self._suspect(own, loaded):
            self._worker.wake(*run)

    async def _keeping(self, loaded: Collection[str]) -> list[Found]:
        """The runs that hold events that no step took, once each: there may be a step for them in
        the code that is loaded here."""
        found = await self._database.read(claims.keeping, loaded)
        new = [it for it in found if it.id not in self._offered]
        self._offered |= {it.id for it in new}
        return new

    async def _suspect(self, own: UUID, loaded: Collection[str]) -> list[Found]:
        """Some of the runs whose workers have died, unless others were begun lately: one at first,
        and twice as many each time that all of them have left a checkpoint.

        So the guilty one has its worker's death to itself, or shares it with few, and the innocent
        are soon all under way.
        """
        free = await self._database.read(claims.suspects, None, loaded)
        if not free:
            return []
        now = time.monotonic()
        under_way = {it.id for it in await self._database.read(claims.suspects, own, loaded)}
        self._begun = {it: when for it, when in self._begun.items() if it in under_way}
        if any(now - begun < self._lease_seconds for begun in self._begun.values()):
            return []
        if self._begun:  # a long step, maybe, or one that kills slowly
            self._trust = 1
        chosen, self._trust = free[: self._trust], 2 * self._trust
        self._begun |= dict.fromkeys((it.id for it in chosen), now)
        return chosen

    async def _ring(self) -> None:
        """Wake who waits for a run that is not driven here, and that has moved."""
        elsewhere = [it for it in self._notifier.expected if not self._worker.drives(it)]
        positions = await self._database.read(run_views.positions, elsewhere) if elsewhere else {}
        moved = [it for it, now in positions.items() if self._positions.get(it) != now]
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
        """Whether the worker has not moved for so long, or its process is gone.

        Nobody's clock is compared with another's: what counts is how long it has been seen to
        stand still from here.
        """
        _, since = self._beats[other.id]
        is_here = other.host == workers.host()
        stands_still = time.monotonic() - since >= self._lease_seconds
        return stands_still or (is_here and not _is_running(other.pid))

    def _sight(self, other: Row) -> tuple[int, float]:
        beats, since = self._beats.get(other.id, (None, 0.0))
        return other.beats, since if beats == other.beats else time.monotonic()


def _is_running(pid: int) -> bool:
    """Whether a process of this machine with that number, other than this one, is there."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
