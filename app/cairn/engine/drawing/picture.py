"""Picture: what is to be drawn, whatever it is drawn as."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "step", "failed", "pending", "event", "start", "stop", "external", "resource", "resource_config"
]
BOXES: tuple[Kind, ...] = ("step", "failed", "pending")
"""What does something: takes events, and gives events."""


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the picture.

    Attributes:
        id: what edges call it.
        label: its name.
        note: a few words under the name.
        detail: all there is to say about it.
        number: its place in the order of things, where there is one.
    """

    id: str
    kind: Kind
    label: str
    note: str = ""
    detail: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two nodes, named by id.

    A loose edge carries no event on the way: the event was put by and collected, or the edge joins
    a step that waits with the same step going on.
    """

    source: str
    target: str
    label: str = ""
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes and edges, under a title."""

    title: str
    description: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def boxes(self) -> list[Node]:
        """The nodes that take and give, in their order."""
        return [node for node in self.nodes if node.kind in BOXES]


def clean(text: str) -> str:
    """The text without what neither XML nor a UTF-8 file can hold."""
    return "".join(
        char if char in "\t\n\r" or (char >= " " and not _is_forbidden(char)) else "\ufffd"
        for char in text
    )


def shortened(text: str, length: int) -> str:
    """The text on one line, cut to so many characters."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _is_forbidden(char: str) -> bool:
    return "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" or char in "\ufffe\uffff"
