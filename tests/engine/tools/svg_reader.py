"""The nodes, edges and numbers of a drawing, read back from its SVG."""

from typing import NamedTuple
from xml.etree import ElementTree

from cairn.engine.drawing import Picture, svg

NS = "{http://www.w3.org/2000/svg}"


class Shown(NamedTuple):
    """The nodes as kind and name, in their order; the edges and the numbers by those names."""

    nodes: list[tuple[str, str]]
    edges: set[tuple[str, str]]
    numbers: list[tuple[int, str]]

    def named(self, kind: str) -> list[str]:
        return [name for found, name in self.nodes if found == kind]


def shown_in(picture: Picture) -> Shown:
    """Read the picture's SVG; a node's name is the first line of its title."""
    return read(svg(picture))


def read(text: str) -> Shown:
    root = ElementTree.fromstring(text)
    names: dict[str, str] = {}
    nodes, numbers = [], []
    for group in root.iter(f"{NS}g"):
        name = (group.findtext(f"{NS}title") or "").split("\n")[0]
        names[group.attrib["data-id"]] = name
        nodes.append((group.attrib["class"].split()[1], name))
        for text_ in group.iter(f"{NS}text"):
            if text_.get("class") == "badge":
                numbers.append((int(text_.text or ""), name))
    edges = {
        (names[path.attrib["data-from"]], names[path.attrib["data-to"]])
        for path in root.iter(f"{NS}path")
        if "data-from" in path.attrib
    }
    return Shown(nodes, edges, sorted(numbers))
