"""StreamObserver: has what the attempts of a run show, and their failures, kept in its stream."""

from collections.abc import Awaitable

from cairn.engine import Event
from cairn.engine.core.snapshot import Delivery
from cairn.engine.language.retry import RetryInfo
from cairn.engine.language.serialization import Serializer
from cairn.store.journal import RunJournal


class StreamObserver:
    """Has what the attempts of a run show, and their failures, kept in its stream."""

    def __init__(self, journal: RunJournal, serializer: Serializer) -> None:
        self._journal = journal
        self._serializer = serializer

    def written(self, event: Event, delivery: Delivery, attempt: int) -> None:
        """Keep an event that an attempt has written to the stream.

        Raises:
            SerializationError: the event cannot be stored.
        """
        self._journal.written(self._serializer.seal(event), delivery, attempt)

    def failed(
        self, delivery: Delivery, attempt: int, retry: RetryInfo, seconds: float | None
    ) -> Awaitable[object]:
        """Keep a failed attempt; see `engine.runtime.publisher.Observer`."""
        return self._journal.failed(delivery, attempt, retry, seconds)
