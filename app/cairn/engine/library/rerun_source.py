"""RerunSource: a checkpoint, reduced to the needs of a rerun."""

from collections.abc import Sequence
from typing import Protocol

from cairn.engine.core.facts import Fact
from cairn.engine.core.snapshot import Delta, Snapshot
from cairn.engine.values.sealed import SealedEvent


class RerunSource(Protocol):
    """A checkpoint, reduced to the needs of a rerun."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot at the checkpoint."""

    @property
    def before(self) -> Snapshot | None:
        """The snapshot that the checkpoint's fact has changed; `None` if unknown."""

    @property
    def first_id(self) -> int:
        """The lowest delivery id that the checkpoint's fact could give."""

    @property
    def completed(self) -> int | None:
        """The id of the delivery whose step has completed; `None` after other facts."""

    @property
    def last_completed_step(self) -> str | None:
        """The step whose completion left the checkpoint; `None` after other facts."""

    @property
    def taken(self) -> SealedEvent | None:
        """The event that the step took."""

    @property
    def given(self) -> SealedEvent | None:
        """The event that the step gave, or that came from outside."""

    @property
    def said_to(self) -> str | None:
        """The one step that an event from outside was addressed to, if any is known."""

    def has_answered(self, event: SealedEvent) -> bool:
        """True if the event, sent by the checkpoint's fact, has answered a step's wait."""

    def course(self, *, with_own: bool) -> Sequence[tuple[Fact, Delta]] | None:
        """The facts of the run after the checkpoint, with their deltas; `None` if unknown.

        Args:
            with_own: whether the checkpoint's own fact comes first.
        """
