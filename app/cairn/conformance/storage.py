"""The side of the implementer: a storage opens journals, and reads back their commits."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple, Protocol
from uuid import UUID

from cairn.engine.core.records import Failure, Head, Record, Status
from cairn.engine.core.snapshot import Delta, Snapshot
from cairn.engine.runtime.journal import Journal
from cairn.engine.values.sealed import SealedEvent


class Capability(Enum):
    """An ability that a storage may lack. The cases that need the ability do not apply then."""

    SHARED = "several journals may be open on one run, and `HeadMoved` refuses those overtaken"
    OWNED = "opening a run takes the run away from the journals that were open before"
    STATUS = "the status, the failure and the stop event of a run can be read back"
    MESSAGES = "messages to a run are stored until a record consumes them"


class KeptCheckpoint(NamedTuple):
    """The part of a record that every journal must give back.

    The fact is left out: a journal may keep the delta that the fact comes to instead. The message
    is left out, too: `KeptRun.unread` tells of messages.
    """

    id: UUID
    seq: int
    parent: UUID | None
    last_completed_step: str | None
    input_event: SealedEvent | None
    output_event: SealedEvent | None
    delta: Delta
    snapshot: Snapshot

    @classmethod
    def of(cls, record: Record) -> "KeptCheckpoint":
        """The kept part of the record."""
        return cls(
            record.id,
            record.seq,
            record.parent,
            record.last_completed_step,
            record.input_event,
            record.output_event,
            record.delta,
            record.snapshot,
        )


class KeptRun(NamedTuple):
    """A run as a reader in any process finds the run at one moment.

    Attributes:
        checkpoints: in the order of `seq`.
        status: the status last committed; `None` without `Capability.STATUS`.
        failure: the reason, if the run failed or was cancelled.
        stopped: the stop event, if the run completed; `None` without `Capability.STATUS`.
        unread: the ids of the messages that no committed record has consumed.
    """

    checkpoints: Sequence[KeptCheckpoint] = ()
    status: Status | None = None
    failure: Failure | None = None
    stopped: SealedEvent | None = None
    unread: Sequence[UUID] = ()


class Opened(NamedTuple):
    """A journal that is open on a run, and the place where the run stands."""

    journal: Journal
    snapshot: Snapshot
    head: Head


class Storage(Protocol):
    """The subject of the suite.

    Each case begins runs of its own, so one storage serves all cases. All calls come from one
    event loop.
    """

    @property
    def lacks(self) -> Mapping[Capability, str]:
        """The capabilities that the storage does without, each with the reason in a sentence."""

    async def begin(self, start: SealedEvent, origin: UUID | None = None) -> UUID:
        """Accept a run.

        Args:
            start: the start event. The suite commits the event as the run's first record, unless
                the run has an origin.
            origin: the id of the checkpoint of an earlier run, for a rerun: the new run stands
                there, with no checkpoint of its own.

        Returns:
            The run's id.
        """

    async def open(self, run: UUID) -> Opened:
        """Open a journal on the run at its head, as a process does that takes the run up.

        A second call for a run needs `Capability.SHARED`. No journal of any other run may notice.
        With `Capability.OWNED`, earlier journals of this run have lost the run from now on.
        """

    async def tell(self, run: UUID, event: SealedEvent) -> UUID:
        """Store a message to the run, and return the message's id.

        Called only with `Capability.MESSAGES`.
        """

    async def read(self, run: UUID) -> KeptRun:
        """Read the run back from the storage itself, as another process would."""
