"""The port: what a run asks of storage."""

from asyncio import Future
from collections.abc import Sequence
from typing import Any, Protocol

from cairn.engine.core.records import Failure, Record, Status


class HeadMoved(Exception):
    """Somebody else has moved the run on: whoever gets this lets go of it."""


class Journal(Protocol):
    """Where a run's facts are kept."""

    def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> Future[Any] | None:
        """Commit the checkpoints and the status after them, all together.

        Returns:
            What is done once that is committed; `None` where it is. It comes to `HeadMoved` if the
            run already has a checkpoint with such a `seq`, or has ended. Cancelled, it may be
            committed nevertheless.

        Raises:
            Exception: it cannot be committed; the run is not moved on.
        """
