"""StreamEntries: the entries of a run's stream that are not committed yet."""

from datetime import datetime
from typing import Any
from uuid import UUID

from cairn.engine.core.records import Status
from cairn.engine.core.snapshot import Delivery
from cairn.engine.language.retry import RetryInfo
from cairn.engine.values import exception_json
from cairn.engine.values.exception_json import message_of
from cairn.store.blobs import Packer
from cairn.store.clock import now

Row = dict[str, Any]

AT_ONCE = 500
"""Entries that are committed in one transaction, at most: other runs share the transaction."""


class StreamEntries:
    """The entries of a run's stream that are not committed yet, in the order of writing.

    Attributes:
        seq: the newest checkpoint that was handed to the journal; later entries stand after it.
    """

    def __init__(self, packer: Packer, run_id: UUID, seq: int, number: int) -> None:
        """Begin behind the entries that are stored.

        Args:
            packer: writes the payloads.
            run_id: the run's id.
            seq: the run's newest checkpoint.
            number: the number of the newest entry after that checkpoint; 0 if there is none.
        """
        self.seq = seq
        self._packer = packer
        self._run_id = run_id
        self._number = number
        self._rows: list[Row] = []

    def __len__(self) -> int:
        return len(self._rows)

    def moved(self, seq: int) -> None:
        """Have later entries stand after this checkpoint."""
        if seq != self.seq:
            self.seq, self._number = seq, 0

    def written(self, payload: bytes, delivery: Delivery, attempt: int) -> None:
        """Add an event, as a payload, that an attempt at a delivery has written."""
        self._add("stream", payload, delivery, attempt)

    def failed(
        self, delivery: Delivery, attempt: int, retry: RetryInfo, next_at: datetime | None
    ) -> None:
        """Add a failed attempt.

        Args:
            delivery: the delivery that the attempt was at.
            attempt: the number of the attempt.
            retry: the failed attempts so far, with the exception of this one.
            next_at: the moment of the next attempt; `None` if there is none.
        """
        error = retry.last_exception
        assert error is not None  # the attempt has failed
        self._fail(delivery, attempt, type(error).__name__, message_of(error), retry, next_at)

    def interrupted(self, delivery: Delivery, attempt: int, retry: RetryInfo) -> None:
        """Add an attempt that has ended with its process.

        Args:
            delivery: the delivery that the attempt was at.
            attempt: the number of the attempt.
            retry: the failed attempts before.
        """
        message = "The process ended meanwhile. What the attempt wrote came to nothing."
        self._fail(delivery, attempt, "Interrupted", message, retry, None)

    def _fail(
        self,
        delivery: Delivery,
        attempt: int,
        type_: str,
        message: str,
        retry: RetryInfo,
        next_at: datetime | None,
    ) -> None:
        error = retry.last_exception
        failure = {
            "error": None if error is None else exception_json.write(error),
            "type": type_,
            "message": message,
            "failed": retry.retry_number,
            "elapsed_seconds": retry.elapsed_seconds,
            "next_at": None if next_at is None else next_at.isoformat(),
        }
        self._add("attempt", self._packer.value(failure), delivery, attempt)

    def turned(self, status: Status) -> None:
        """Add a status that the run has now."""
        self._add("status", self._packer.value(status), None, None)

    def take(self, limit: int | None = None) -> list[Row]:
        """Take the first entries out, as rows; all of them without a limit."""
        taken, self._rows = self._rows[:limit], [] if limit is None else self._rows[limit:]
        return taken

    def _add(
        self, kind: str, payload: bytes, delivery: Delivery | None, attempt: int | None
    ) -> None:
        self._number += 1
        self._rows.append(
            {
                "run_id": self._run_id,
                "seq": self.seq,
                "number": self._number,
                "kind": kind,
                "step": None if delivery is None else delivery.step,
                "delivery": None if delivery is None else delivery.id,
                "attempt": attempt,
                "payload": payload,
                "created_at": now(),
            }
        )
