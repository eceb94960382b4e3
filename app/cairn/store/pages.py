"""Pages: a part of a list, and where the next one begins."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

PAGE_BYTES = 4_000_000  # of payloads
LISTED_BYTES = 64_000  # of one of a run's payloads: a larger one is shown with the run alone


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of the items, and the position after them; `None` where there are no more."""

    items: Sequence[T]
    next_position: str | None


def fitting(sizes: Iterable[int]) -> int:
    """How many items of these sizes in bytes fit on a page: at least one, if there is any."""
    number = total = 0
    for size in sizes:
        total += size
        if number and total > PAGE_BYTES:
            break
        number += 1
    return number
