"""Keys of the parts of a snapshot: text, since a stored snapshot is JSON objects.

Stored snapshots hold these texts, so the forms stay as they are. Each form is made and read here
alone. Functions make the keys, since each step of a run makes some; named tuples are keys, read.
"""

from collections.abc import Mapping
from typing import NamedTuple


def wait_key(delivery: int, waiter: str) -> str:
    """The key of a wait: `delivery:waiter`."""
    return f"{delivery}:{waiter}"


def call_key(delivery: int, call: int, buffer: str) -> str:
    """The key of a call of `collect_events`, and of its entry: `delivery:call:buffer`."""
    return f"{delivery}:{call}:{buffer}"


def place_key(batch: int, step: str, slot: str) -> str:
    """The key of a place, and of the place's queue: `batch:step:slot`."""
    return f"{batch}:{step}:{slot}"


def gathered_key(place: str, number: int) -> str:
    """The key of a gathered event: `batch:step:slot:number`.

    Args:
        place: the key of the place.
        number: the event's number among the events of the place.
    """
    return f"{place}:{number}"


class CallKey(NamedTuple):
    """The key of a call of `collect_events`, read.

    Attributes:
        delivery: the id of the delivery whose step has made the call.
        call: the number of the call among the calls of the delivery.
        buffer: the name of the buffer: any text.
    """

    delivery: int
    call: int
    buffer: str

    @classmethod
    def of(cls, key: str) -> "CallKey":
        """Read the key of a call or of an entry."""
        delivery, call, buffer = key.split(":", 2)
        return cls(int(delivery), int(call), buffer)


class Place(NamedTuple):
    """The place where a step gathers events.

    Attributes:
        batch: the id of the batch; 0 outside of all batches.
        step: the name of the step: any text.
        slot: the name of the parameter of a join, which is an identifier; empty for a list.
    """

    batch: int
    step: str
    slot: str

    @classmethod
    def of(cls, key: str) -> "Place":
        """Read the key of a place, from both ends: the step's name may contain colons."""
        batch, rest = key.split(":", 1)
        step, slot = rest.rsplit(":", 1)
        return cls(int(batch), step, slot)

    @property
    def key(self) -> str:
        """The key of the place."""
        return place_key(*self)

    def renamed(self, names: Mapping[str, str]) -> "Place":
        """The place after its step was renamed; `names` are the new names by the old names."""
        return self._replace(step=names.get(self.step, self.step))


class GatheredKey(NamedTuple):
    """The place of a gathered event, and its number among the events there."""

    place: Place
    number: int

    @classmethod
    def of(cls, key: str) -> "GatheredKey":
        """Read the key of a gathered event."""
        place, number = key.rsplit(":", 1)
        return cls(Place.of(place), int(number))

    @property
    def key(self) -> str:
        """The key of the gathered event."""
        return gathered_key(self.place.key, self.number)

    def renamed(self, names: Mapping[str, str]) -> "GatheredKey":
        """The key after the step was renamed; `names` are the new names by the old names."""
        return self._replace(place=self.place.renamed(names))
