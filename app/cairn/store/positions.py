"""Position: a place in the stream of a run."""

import re
from typing import NamedTuple

WRITTEN = r"\d{1,10}\.\d{1,18}"


class Position(NamedTuple):
    """A place in the stream of a run: a checkpoint, and the number of an entry after it.

    The checkpoint itself has the number 0.
    """

    seq: int
    number: int

    def __str__(self) -> str:
        return f"{self.seq}.{self.number}"

    @classmethod
    def read(cls, text: str) -> "Position | None":
        """The position that `str` has written; `None` for any other text."""
        if not re.fullmatch(WRITTEN, text, re.ASCII):
            return None
        seq, _, number = text.partition(".")
        position = cls(int(seq), int(number))
        return position if position <= LAST else None


LAST = Position(2**31 - 1, 2**63 - 1)
"""Behind any position: the databases have no greater numbers."""
