"""Picture: the nodes and edges to draw, independent of the form of the drawing."""

from dataclasses import dataclass
from typing import Literal

NodeKind = Literal[
    "step", "failed", "pending", "event", "start", "stop", "external", "resource", "resource_config"
]
BOXES: tuple[NodeKind, ...] = ("step", "failed", "pending")
"""The kinds of node that take events and give events."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the picture.

    Attributes:
        id: the identifier that edges refer to.
        kind: the kind of node, which decides shape and colour.
        label: the name.
        note: a few words under the name.
        detail: a longer text, shown on request.
        number: the place in the order of execution, if the node has one.
    """

    id: str
    kind: NodeKind
    label: str
    note: str = ""
    detail: str = ""
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of the picture.

    Attributes:
        source: the id of the first node.
        target: the id of the second node.
        label: a few words at the edge.
        loose: True if no event passes along the edge: from a buffered event to the step that
            collected the buffer, or from a step that waited to its continuation.
    """

    source: str
    target: str
    label: str = ""
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes and edges under a title."""

    title: str
    description: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def boxes(self) -> list[Node]:
        """Return the nodes that take and give events, in order."""
        return [node for node in self.nodes if node.kind in BOXES]


def clean(text: str) -> str:
    """Return the text with a replacement for each character that XML or UTF-8 excludes."""
    return "".join(
        char if char in "\t\n\r" or (char >= " " and not _is_forbidden(char)) else "\ufffd"
        for char in text
    )


def shortened(text: str, length: int) -> str:
    """Return the text on one line, cut to `length` characters; an ellipsis ends a cut text."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _is_forbidden(char: str) -> bool:
    return "\x7f" <= char <= "\x9f" or "\ud800" <= char <= "\udfff" or char in "\ufffe\uffff"
