"""A picture as SVG: boxes for steps, pills for events, curves between boxes and pills."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from html import escape

from cairn.engine.drawing.layout import Layout, Point, lay_out
from cairn.engine.drawing.picture import BOXES, Edge, Node, NodeKind, Picture, clean

CELL, NOTE_CELL = 7.9, 6.7
"""The width of a character in a monospaced font of 13 px, and of 11 px, in pixels."""
LINE, NOTE_LINE = 18.0, 15.0
"""The height of a line of the name, and of the note, in pixels."""
LONGEST = 26
"""The maximum of characters in a line of a name."""
READABLE_WIDTH = 1_100.0
"""The width, in pixels, above which a drawing may go sideways instead of down."""

STYLE = """
.cairn text { font: 500 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", \
monospace; text-anchor: middle; }
.cairn .note { font-size: 11px; font-weight: 400; opacity: .8; }
.cairn .node path { stroke-width: 1.4; }
.cairn .edge { fill: none; stroke-width: 1.4; }
.cairn .loose, .cairn .pending path, .cairn .external path { stroke-dasharray: 5 4; }
.cairn .badge { font-size: 10px; font-weight: 700; }
"""
LIGHT = {
    "step": ("#e6effd", "#3b6fd4", "#14316b"),
    "failed": ("#fde8e6", "#c8372d", "#6b1611"),
    "pending": ("#f4f5f7", "#8a93a3", "#3f4754"),
    "event": ("#fdf3dc", "#b98412", "#553c04"),
    "start": ("#e3f5e8", "#2f8f4e", "#134223"),
    "stop": ("#f1e7fc", "#8247c2", "#3f1d66"),
    "external": ("#ddf3f3", "#258085", "#0c4144"),
    "resource": ("#e9eff2", "#5b7282", "#24343e"),
    "resource_config": ("#e9eff2", "#5b7282", "#24343e"),
    "paper": ("#ffffff", "#6b7483", "#3f4754"),
}
DARK = {
    "step": ("#1b2b4d", "#6f9bf0", "#dbe7ff"),
    "failed": ("#48201d", "#ec7a70", "#ffe1de"),
    "pending": ("#22262e", "#7b8494", "#c5cbd6"),
    "event": ("#3a2e12", "#d6a53c", "#fbeecb"),
    "start": ("#16361f", "#57b877", "#d7f5e0"),
    "stop": ("#33204b", "#b384ea", "#eeddff"),
    "external": ("#12373a", "#56b9bf", "#d5f3f4"),
    "resource": ("#222f37", "#8fa7b6", "#dfe9ef"),
    "resource_config": ("#222f37", "#8fa7b6", "#dfe9ef"),
    "paper": ("#14171c", "#8d96a5", "#c5cbd6"),
}


def svg(picture: Picture) -> str:
    """Return the picture as one self-contained SVG element."""
    lines = {node.id: wrapped(node.label) for node in picture.nodes}
    sizes = [_size(node, lines[node.id]) for node in picture.nodes]
    index = {node.id: number for number, node in enumerate(picture.nodes)}
    edges = [(index[edge.source], index[edge.target]) for edge in picture.edges]
    layout = lay_out(sizes, edges)
    if layout.width > READABLE_WIDTH:
        sideways = lay_out(sizes, edges, sideways=True)
        layout = min(layout, sideways, key=lambda candidate: candidate.width)
    parts = [
        *_head(picture, layout),
        *_edges(picture.edges, layout.curves),
        *(
            _node(node, lines[node.id], size, middle)
            for node, size, middle in zip(picture.nodes, sizes, layout.nodes, strict=True)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Return the text, cleaned and escaped for HTML and SVG."""
    return escape(clean(text))


def wrapped(name: str) -> list[str]:
    """Return the name in lines, broken between its words."""
    words = re.findall(r"[A-Z]*[^A-Z_\s]+_*\s*|[A-Z]+_*\s*|[_\s]+", clean(name))
    lines = [""]
    for word in words:
        if lines[-1] and _cells(lines[-1] + word) > LONGEST:
            lines.append("")
        for char in word:
            if _cells(lines[-1] + char) > LONGEST:
                lines.append("")
            lines[-1] += char
    return [line.strip() for line in lines]


def palette(colours: dict[str, tuple[str, str, str]]) -> str:
    """Return the CSS rules for the colours of a picture."""
    paper, line, ink = colours["paper"]
    rules = [
        f".cairn .paper {{ fill: {paper}; }}",
        f".cairn .edge {{ stroke: {line}; }}",
        f".cairn .head {{ fill: {line}; }}",
        f".cairn .name {{ fill: {ink}; stroke: {paper}; stroke-width: 4px; paint-order: stroke; }}",
    ]
    for kind, (fill, stroke, text) in colours.items():
        if kind != "paper":
            rules.append(f".cairn .{kind} path {{ fill: {fill}; stroke: {stroke}; }}")
            rules.append(f".cairn .{kind} text {{ fill: {text}; }}")
            rules.append(f".cairn .{kind} .disc {{ fill: {stroke}; stroke: {paper}; }}")
            rules.append(f".cairn .{kind} .badge {{ fill: {paper}; }}")
    return "\n".join(rules)


def _head(picture: Picture, layout: Layout) -> Iterable[str]:
    width, height = round(layout.width), round(layout.height)
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cairn" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="graphics-document" '
        'aria-labelledby="picture-title picture-description">'
    )
    yield f'<title id="picture-title">{escaped(picture.title)}</title>'
    yield f'<desc id="picture-description">{escaped(picture.description)}</desc>'
    dark = f"@media (prefers-color-scheme: dark) {{\n{palette(DARK)}\n}}"
    yield f"<style>{STYLE}{palette(LIGHT)}\n{dark}\n</style>"
    yield (
        '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        '<path class="head" d="M0 1 L10 5 L0 9 z"/></marker></defs>'
    )
    yield f'<rect class="paper" width="{width}" height="{height}"/>'


def _edges(edges: Sequence[Edge], curves: Sequence[list[Point]]) -> Iterable[str]:
    for edge, curve in zip(edges, curves, strict=True):
        start, *rest = [f"{point.x:.1f} {point.y:.1f}" for point in curve]
        kind = "edge loose" if edge.loose else "edge"
        yield (
            f'<path class="{kind}" data-from="{escaped(edge.source)}" '
            f'data-to="{escaped(edge.target)}" marker-end="url(#arrow)" '
            f'd="M{start} C{" ".join(rest)}"/>'
        )
    for edge, curve in zip(edges, curves, strict=True):
        if edge.label:
            at = 3 * (len(curve) // 6)
            a, b, c, d = curve[at : at + 4]
            # The middle of a cubic Bezier curve.
            x, y = (a.x + 3 * b.x + 3 * c.x + d.x) / 8, (a.y + 3 * b.y + 3 * c.y + d.y) / 8
            label = escaped(edge.label)
            yield f'<text class="note name" x="{x:.1f}" y="{y + 4:.1f}">{label}</text>'


def _node(node: Node, lines: list[str], size: tuple[float, float], middle: Point) -> str:
    width, height = size
    left, top = middle.x - width / 2, middle.y - height / 2
    tooltip = escaped("\n".join(part for part in (node.label, node.detail or node.note) if part))
    parts = [
        f'<g class="node {node.kind}" data-id="{escaped(node.id)}"><title>{tooltip}</title>',
        f'<path d="{_outline(node.kind, left, top, width, height)}"/>',
    ]
    below = NOTE_LINE if node.note else 0.0
    y = middle.y - (len(lines) * LINE + below) / 2 + 13.5
    for number, line in enumerate(lines):
        at = y + number * LINE
        parts.append(f'<text x="{middle.x:.1f}" y="{at:.1f}">{escaped(line)}</text>')
    if node.note:
        at = y + len(lines) * LINE - 1.5
        parts.append(
            f'<text class="note" x="{middle.x:.1f}" y="{at:.1f}">{escaped(node.note)}</text>'
        )
    if node.number is not None:
        half = 6.0 + 3.2 * len(str(node.number))
        parts.append(
            f'<rect class="disc" x="{left - half:.1f}" y="{top - 9:.1f}" width="{2 * half:.1f}" '
            f'height="18" rx="9"/><text class="badge" x="{left:.1f}" y="{top + 3.5:.1f}">'
            f"{node.number}</text>"
        )
    return "".join([*parts, "</g>"])


def _outline(kind: NodeKind, left: float, top: float, width: float, height: float) -> str:
    """Return the outline of a node: a box for a step, a cut corner for a resource, else a pill."""
    if kind in ("resource", "resource_config"):
        right, low, cut = left + width, top + height, 10.0
        return (
            f"M{left:.1f} {top:.1f} H{right - cut:.1f} L{right:.1f} {top + cut:.1f} V{low:.1f} "
            f"H{left:.1f} z"
        )
    is_box = kind in BOXES
    r = 7.0 if is_box else height / 2
    arc = f"a{r:.1f} {r:.1f} 0 0 1"
    return (
        f"M{left + r:.1f} {top:.1f} h{width - 2 * r:.1f} {arc} {r:.1f} {r:.1f} "
        f"v{height - 2 * r:.1f} {arc} {-r:.1f} {r:.1f} h{2 * r - width:.1f} "
        f"{arc} {-r:.1f} {-r:.1f} v{2 * r - height:.1f} {arc} {r:.1f} {-r:.1f} z"
    )


def _size(node: Node, lines: list[str]) -> tuple[float, float]:
    text = max(max(map(_cells, lines)) * CELL, _cells(node.note) * NOTE_CELL)
    height = len(lines) * LINE + (NOTE_LINE if node.note else 0.0) + 16.0
    return max(text + 30.0, 72.0), height


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
