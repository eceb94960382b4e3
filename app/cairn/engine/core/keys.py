"""Keys of the parts of a snapshot: text, since a stored snapshot is JSON objects."""

from collections.abc import Mapping
from typing import NamedTuple


def wait_key(delivery: int, waiter: str) -> str:
    """The key of a wait: `delivery:waiter`."""
    return f"{delivery}:{waiter}"


def call_key(delivery: int, call: int, buffer: str) -> str:
    """The key of a call of `collect_events`, and of its entry: `delivery:call:buffer`."""
    return f"{delivery}:{call}:{buffer}"


def delivery_of(key: str) -> int:
    """The delivery in the key of a call or of an entry."""
    return int(key.split(":", 1)[0])


class Place(NamedTuple):
    """The place where a step gathers events.

    Attributes:
        batch: the id of the batch; 0 outside of all batches.
        step: the name of the step.
        slot: the name of the parameter of a join; empty for a list.
    """

    batch: int
    step: str
    slot: str

    @property
    def key(self) -> str:
        """The key of the place's queue: `batch:step:slot`."""
        return f"{self.batch}:{self.step}:{self.slot}"


class GatheredKey(NamedTuple):
    """The place of a gathered event, and its number among the events there."""

    place: Place
    number: int

    @classmethod
    def of(cls, key: str) -> "GatheredKey":
        """Read the key of a gathered event."""
        batch, step, rest = key.split(":", 2)
        slot, number = rest.rsplit(":", 1)
        return cls(Place(int(batch), step, slot), int(number))


def gathered_key(place: str, number: int) -> str:
    """The key of a gathered event: `batch:step:slot:number`.

    Args:
        place: the key of the place.
        number: the event's number among the events of the place.
    """
    return f"{place}:{number}"


def with_step_renamed(key: str, names: Mapping[str, str]) -> str:
    """The key of a place, or of an event gathered there, after its step was renamed.

    Args:
        key: the key.
        names: the new names of steps, by the old names.
    """
    batch, step, rest = key.split(":", 2)
    return f"{batch}:{names.get(step, step)}:{rest}"
