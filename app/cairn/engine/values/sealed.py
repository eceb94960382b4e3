"""Sealed events: events as JSON, as they were when they were sent."""

from collections.abc import Sequence
from typing import NamedTuple

from cairn.engine.values.extended_json import TAG, VALUE, Json

BATCH = "EventBatch"


class SealedEvent(NamedTuple):
    """An event as it was when it was sent: its type's name and its fields, as JSON."""

    type: str
    data: dict[str, Json]
    private: dict[str, Json] | None = None
    unset: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """The event as one JSON object; parts that are empty are left out."""
        whole: dict[str, Json] = {"type": self.type, "data": self.data}
        if self.private:
            whole["private"] = self.private
        if self.unset:
            whole["unset"] = list(self.unset)
        return whole

    @classmethod
    def from_json(cls, whole: Json) -> "SealedEvent":
        """The reverse of `to_json`."""
        return cls(
            whole["type"], whole["data"], whole.get("private"), tuple(whole.get("unset", ()))
        )


def pack(events: Sequence[SealedEvent]) -> SealedEvent:
    """The events as one, an `EventBatch`."""
    return SealedEvent(BATCH, {"events": [as_value(event) for event in events]})


def unpack(batch: SealedEvent) -> list[SealedEvent]:
    """The events of an `EventBatch`."""
    return [
        SealedEvent(
            written[TAG], written[VALUE], written.get("$private"), tuple(written.get("$unset", ()))
        )
        for written in batch.data["events"]
    ]


def as_value(event: SealedEvent) -> Json:
    """The event as it is written where it is a value among others."""
    written: dict[str, Json] = {TAG: event.type, VALUE: event.data}
    if event.private:
        written["$private"] = event.private
    if event.unset:
        written["$unset"] = list(event.unset)
    return written
