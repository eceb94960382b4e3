"""Sealed events: events as JSON, fixed at the moment of sending."""

from collections.abc import Sequence
from typing import NamedTuple

from cairn.engine.values.extended_json import TAG, VALUE, Json

BATCH = "EventBatch"


class SealedEvent(NamedTuple):
    """An event as JSON, fixed at the moment of sending.

    Attributes:
        type: the name of the event's class.
        data: the fields, declared and dynamic, as extended JSON.
        private: the private attributes, or `None`.
        unset: the declared fields that hold a default rather than a given value.
    """

    type: str
    data: dict[str, Json]
    private: dict[str, Json] | None = None
    unset: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """Return the event as one JSON object, without its empty parts."""
        whole: dict[str, Json] = {"type": self.type, "data": self.data}
        if self.private:
            whole["private"] = self.private
        if self.unset:
            whole["unset"] = list(self.unset)
        return whole

    @classmethod
    def from_json(cls, whole: Json) -> "SealedEvent":
        """Read the JSON of `to_json`."""
        return cls(
            whole["type"], whole["data"], whole.get("private"), tuple(whole.get("unset", ()))
        )


def pack(events: Sequence[SealedEvent]) -> SealedEvent:
    """Pack the events of a list into one `EventBatch`."""
    return SealedEvent(BATCH, {"events": [as_value(event) for event in events]})


def unpack(batch: SealedEvent) -> list[SealedEvent]:
    """Return the events of an `EventBatch`."""
    return [
        SealedEvent(
            written[TAG], written[VALUE], written.get("$private"), tuple(written.get("$unset", ()))
        )
        for written in batch.data["events"]
    ]


def as_value(event: SealedEvent) -> Json:
    """Return the event as extended JSON, for use inside a larger value."""
    written: dict[str, Json] = {TAG: event.type, VALUE: event.data}
    if event.private:
        written["$private"] = event.private
    if event.unset:
        written["$unset"] = list(event.unset)
    return written
