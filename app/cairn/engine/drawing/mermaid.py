"""A picture as the text of a Mermaid flowchart."""

import re

from cairn.engine.drawing.picture import Node, NodeKind, Picture, clean

SHAPES: dict[NodeKind, str] = {
    "step": '["{}"]',
    "failed": '["{}"]',
    "pending": '["{}"]',
    "event": '(["{}"])',
    "start": '(["{}"])',
    "stop": '(["{}"])',
    "external": '[/"{}"/]',
    "resource": '[("{}")]',
    "resource_config": '[("{}")]',
}
STYLES: dict[NodeKind, str] = {
    "step": "fill:#e6effd,stroke:#3b6fd4,color:#14316b",
    "failed": "fill:#fde8e6,stroke:#c8372d,color:#6b1611",
    "pending": "fill:#f4f5f7,stroke:#8a93a3,color:#3f4754,stroke-dasharray:4 3",
    "event": "fill:#fdf3dc,stroke:#b98412,color:#553c04",
    "start": "fill:#e3f5e8,stroke:#2f8f4e,color:#134223",
    "stop": "fill:#f1e7fc,stroke:#8247c2,color:#3f1d66",
    "external": "fill:#ddf3f3,stroke:#258085,color:#0c4144",
    "resource": "fill:#e9eff2,stroke:#5b7282,color:#24343e",
    "resource_config": "fill:#e9eff2,stroke:#5b7282,color:#24343e",
}


def mermaid(picture: Picture) -> str:
    """Return the picture as the text of a Mermaid flowchart."""
    ids = _ids(picture)
    lines = ["flowchart TD"]
    for node in picture.nodes:
        shape = SHAPES[node.kind].format(_label(node))
        lines.append(f"    {ids[node.id]}{shape}:::{node.kind}")
    for edge in picture.edges:
        label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
        arrow = "-.->" if edge.loose else "-->"
        lines.append(f"    {ids[edge.source]} {arrow}{label} {ids[edge.target]}")
    used = dict.fromkeys(node.kind for node in picture.nodes)
    lines += [f"    classDef {kind} {STYLES[kind]}" for kind in used]
    return "\n".join(lines) + "\n"


def _ids(picture: Picture) -> dict[str, str]:
    """Return an id for each node that Mermaid does not take for a keyword, such as `end`."""
    ids: dict[str, str] = {}
    taken: set[str] = set()
    for number, node in enumerate(picture.nodes):
        wanted = f"{node.kind}_" + re.sub(r"\W", "_", node.id, flags=re.ASCII)
        ids[node.id] = id_ = wanted if wanted not in taken else f"{wanted}_{number}"
        taken.add(id_)
    return ids


def _label(node: Node) -> str:
    # Mermaid reads "1. name" as a Markdown list.
    name = node.label if node.number is None else f"{node.number} · {node.label}"
    return _escaped(name) + (f"<br/>{_escaped(node.note)}" if node.note else "")


def _escaped(text: str) -> str:
    line = " ".join(clean(text).split())
    return re.sub(r"[^\w .,:;=·…()/+-]", lambda found: f"#{ord(found[0])};", line)
