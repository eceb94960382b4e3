"""Pictures: the Mermaid blocks of the pages as SVG, drawn by Cairn's own drawing as mkdocs builds.

Mermaid's script would come from another host, or lie here as 3 MB of foreign code, and draws only
in a browser. The SVG needs no script. The blocks stay Mermaid, which repositories show as drawings,
but only as much of Mermaid as is used: anything else stops the build.
"""

import re
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from pymdownx.superfences import SuperFencesException

from cairn.engine.drawing import svg
from cairn.engine.drawing.picture import Edge, Node, NodeKind, Picture

EDGE = re.compile(r"(\S+) --> (\S+?)(?:: (.+))?")
NODE = re.compile(r'(\w+)\["(.+?)(?:<br/>(.+))?"\]')
IDS = re.compile(r'(?<=["# ])(picture-title|picture-description|arrow)(?=[") ])')
BOUNDARY = "[*]"
"""In a state diagram: from where a state is entered at first, and where it leads at last."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Have mkdocs draw the Mermaid blocks."""
    fence = {"name": "mermaid", "class": "picture", "format": drawn}
    config.mdx_configs.setdefault("pymdownx.superfences", {})["custom_fences"] = [fence]
    return config


def drawn(source: str, *_: Any, **__: Any) -> str:
    """The block as an SVG element whose ids are its own, since a page may have several.

    Raises:
        SuperFencesException: the block is not understood. Any other error would only be logged.
    """
    try:
        picture = picture_of(source)
    except (KeyError, ValueError) as error:
        raise SuperFencesException from error
    prefix = re.sub(r"\W+", "-", picture.title.lower())
    element = IDS.sub(rf"{prefix}-\g<0>", svg(picture))
    return f'<div class="picture" style="overflow-x: auto">{element}</div>'


def picture_of(source: str) -> Picture:
    """The picture that a state diagram or a flowchart tells.

    Raises:
        ValueError: a line is neither a title, nor a node, nor an edge.
    """
    kind, *lines = [line.strip() for line in source.strip().splitlines()]
    told: dict[str, str] = {}
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str, str]] = []
    for line in filter(None, lines):
        name, _, text = line.partition(": ")
        if name in ("accTitle", "accDescr"):
            told[name] = text
        elif (node := NODE.fullmatch(line)) is not None:
            nodes[node[1]] = Node(node[1], "step", node[2], node[3] or "")
        elif (edge := EDGE.fullmatch(line)) is not None:
            edges.append((edge[1], edge[2], edge[3] or ""))
        else:
            raise ValueError(f"This line of a picture is not understood: {line}")
    title, description = told["accTitle"], told["accDescr"]
    if kind == "stateDiagram-v2":
        return _states(title, description, edges)
    return Picture(title, description, tuple(nodes.values()), tuple(Edge(*it) for it in edges))


def _states(title: str, description: str, edges: list[tuple[str, str, str]]) -> Picture:
    """States as boxes, and what moves them as events between; the same cause of one state once."""
    last = {source for source, target, _ in edges if target == BOUNDARY}
    nodes: dict[str, Node] = {}
    arrows: dict[Edge, None] = {}
    for source, target, label in edges:
        if target == BOUNDARY:
            continue
        cause = f"{label} > {target}"
        first: NodeKind = "start" if source == BOUNDARY else "event"
        nodes.setdefault(cause, Node(cause, first, label))
        for state in (source, target):
            if state != BOUNDARY:
                kind: NodeKind = "stop" if state in last else "step"
                nodes.setdefault(state, Node(state, kind, state))
                arrows[Edge(state, cause) if state == source else Edge(cause, state)] = None
    return Picture(title, description, tuple(nodes.values()), tuple(arrows))
