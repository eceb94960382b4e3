"""The journal in memory, as a storage under test."""

from collections.abc import Mapping
from uuid import UUID

from cairn.conformance import ROUTES, Capability, KeptCheckpoint, KeptRun, Opened
from cairn.engine.core.records import Head
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.ids import new_id
from cairn.engine.library.memory_journal import MemoryJournal
from cairn.engine.values.sealed import SealedEvent

LACKS = {
    Capability.SHARED: "The journal is an object of one process, and a run's only writer.",
    Capability.OWNED: "No other process can have the run.",
    Capability.STATUS: "The handler of a run knows how the run stands; the journal drops it.",
    Capability.MESSAGES: "Messages are in the process's memory until the run hears them.",
}


class Memory:
    """Contexts in memory: one journal for the runs that begin anew, and one for each rerun."""

    def __init__(self) -> None:
        self._journals: dict[UUID, MemoryJournal] = {}
        self._stands: dict[UUID, tuple[Snapshot, Head]] = {}
        self._context = MemoryJournal(lambda: ROUTES)

    @property
    def lacks(self) -> Mapping[Capability, str]:
        return LACKS

    async def begin(self, start: SealedEvent, origin: UUID | None = None) -> UUID:
        run = new_id()
        if origin is None:
            self._journals[run], self._stands[run] = self._context, (Snapshot(), Head())
        else:
            journals = {id(it): it for it in self._journals.values()}.values()
            [found] = [it for journal in journals for it in journal.records if it.id == origin]
            self._journals[run] = MemoryJournal(lambda: ROUTES)
            self._stands[run] = found.snapshot, Head(origin)
        return run

    async def open(self, run: UUID) -> Opened:
        return Opened(self._journals[run], *self._stands[run])

    async def tell(self, run: UUID, event: SealedEvent) -> UUID:
        raise NotImplementedError(LACKS[Capability.MESSAGES])

    async def read(self, run: UUID) -> KeptRun:
        records = self._journals[run].records
        return KeptRun([KeptCheckpoint.of(it) for it in records if it.run == run])
