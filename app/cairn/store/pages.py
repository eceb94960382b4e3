"""Pages: a part of a list, and the position where the next part begins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

PAGE_BYTES = 4_000_000  # of payloads
LISTED_BYTES = 64_000  # of one of a run's payloads: a larger one is shown with the run alone


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        items: the items of the part, in order.
        next_position: the position where the next page begins; `None` on the last page.
    """

    items: Sequence[T]
    next_position: str | None


def fitting(sizes: Iterable[int]) -> int:
    """The number of items that fit on a page, of these sizes in bytes: at least the first."""
    number = total = 0
    for size in sizes:
        total += size
        if number and total > PAGE_BYTES:
            break
        number += 1
    return number
