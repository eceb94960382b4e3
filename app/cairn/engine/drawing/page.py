"""A picture as one HTML page: the drawing, a legend, and the same in words."""

from collections import defaultdict
from collections.abc import Iterator

from cairn.engine.drawing.picture import Node, NodeKind, Picture
from cairn.engine.drawing.svg import DARK, LIGHT, escaped, svg

MEANINGS: dict[NodeKind, str] = {
    "step": "step",
    "failed": "failed",
    "pending": "not executed",
    "start": "begins the run",
    "event": "event",
    "stop": "ends the run",
    "external": "outside the workflow",
    "resource": "resource",
    "resource_config": "configuration",
}
VERBS = ("takes", "gives", "uses")
STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; padding: 2rem 1.5rem 3rem; max-width: 75rem; line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { margin: 0; font-size: 1.5rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.05rem; }
p { margin: .3rem 0; white-space: pre-line; max-width: 60rem; }
figure { margin: 1.2rem 0 0; overflow-x: auto; border: 1px solid; border-radius: 10px; }
figure svg { display: block; margin: 0 auto; }
code { font: .88em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
ul.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin: .8rem 0 0; padding: 0;
  list-style: none; font-size: .85rem; }
ul.legend i { display: inline-block; width: 1.1rem; height: .7rem; margin-right: .4rem;
  border: 1.5px solid; border-radius: 1rem; }
ul.legend i.step, ul.legend i.failed, ul.legend i.pending { border-radius: 3px; }
ul.legend i.pending, ul.legend i.external { border-style: dashed; }
ul.legend i.loose { height: 0; border-width: 1.5px 0 0; border-style: dashed; border-radius: 0;
  vertical-align: middle; }
li { margin: .2rem 0; }
"""


def page(picture: Picture) -> str:
    """Return the picture as a self-contained HTML page, without scripts."""
    title = escaped(picture.title)
    paragraph = f"<p>{escaped(picture.description)}</p>" if picture.description else ""
    dark = f"@media (prefers-color-scheme: dark) {{\n{_palette(DARK)}}}\n"
    steps = "\n".join(_in_words(picture))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{STYLE}{_palette(LIGHT)}{dark}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{paragraph}
<figure tabindex="0" aria-label="Drawing">
{svg(picture)}</figure>
<ul class="legend">
{_legend(picture)}
</ul>
<h2>In words</h2>
<ul>
{steps}
</ul>
</main>
</body>
</html>
"""


def in_notebook(html: str) -> str:
    """Return the page as an `iframe`, which keeps its styles and ids apart from the notebook's."""
    return (
        f'<iframe srcdoc="{escaped(html)}" sandbox width="100%" height="600" '
        'style="border: 0" title="Drawing of a workflow"></iframe>'
    )


def _legend(picture: Picture) -> str:
    kinds = {node.kind for node in picture.nodes}
    items = [
        f'<li><i class="{kind}"></i>{meaning}</li>'
        for kind, meaning in MEANINGS.items()
        if kind in kinds
    ]
    if any(edge.loose for edge in picture.edges):
        items.append('<li><i class="loose"></i>put by and collected, or waited and went on</li>')
    return "\n".join(items)


def _in_words(picture: Picture) -> Iterator[str]:
    nodes = {node.id: node for node in picture.nodes}
    neighbours: defaultdict[str, defaultdict[str, list[str]]]  # by node id and verb
    neighbours = defaultdict(lambda: defaultdict(list))
    for edge in picture.edges:
        source, target = nodes[edge.source], nodes[edge.target]
        if not edge.loose:
            neighbours[target.id]["takes"].append(_code(source))
            verb = "uses" if target.kind in ("resource", "resource_config") else "gives"
            neighbours[source.id][verb].append(_code(target))
    for node in picture.boxes():
        names = neighbours[node.id]
        verbs = "; ".join(f"{verb} {', '.join(names[verb])}" for verb in VERBS if verb in names)
        number = "" if node.number is None else f"{node.number}. "
        yield f"<li>{number}{_code(node)} {verbs}</li>"


def _code(node: Node) -> str:
    note = f" ({escaped(node.note)})" if node.note else ""
    return f"<code>{escaped(node.label)}</code>{note}"


def _palette(colours: dict[str, tuple[str, str, str]]) -> str:
    paper, line, ink = colours["paper"]
    rules = [
        f"body {{ background: {paper}; color: {ink}; }}",
        f"figure {{ border-color: {line}40; }}",
        f"ul.legend i.loose {{ border-color: {line}; }}",
    ]
    for kind, (fill, stroke, _) in colours.items():
        if kind != "paper":
            rules.append(f"ul.legend i.{kind} {{ background: {fill}; border-color: {stroke}; }}")
    return "\n".join(rules) + "\n"
