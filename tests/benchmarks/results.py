"""What a benchmark comes to: what is shown of it, and all of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

Say = Callable[[str], None]
"""Tells whoever looks on what is being done."""


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured.

    Attributes:
        shown: tables and sentences, in order.
        data: every round, as JSON.
    """

    shown: Sequence[Table | str]
    data: dict[str, Any]
