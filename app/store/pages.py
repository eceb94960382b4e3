"""Pages: a part of a list, and where the next one begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of the items, and the position after them; `None` where there are no more."""

    items: Sequence[T]
    next_position: str | None
