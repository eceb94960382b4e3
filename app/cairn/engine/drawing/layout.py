"""Layout: the place of each node and the curve of each edge, with few crossings.

The method of Sugiyama, Tagawa and Toda (1981): break cycles, assign layers by the longest path, let
long edges pass through the layers between, order each layer by the mean place of its neighbours,
then assign coordinates. Layers are rows here, and `x` is a place in a row; a sideways drawing is
transposed at the end.
"""

from __future__ import annotations

from bisect import bisect, insort
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from cairn.engine.drawing.layers import going_back, layers_of
from cairn.engine.drawing.placing import MARGIN, Place, place_all

GAP = 52.0
"""Pixels between layers, for the bends of edges."""
SWEEPS = 8
"""Passes that order the layers, alternately down and up."""


class Point(NamedTuple):
    """A point of the drawing, in pixels."""

    x: float
    y: float


class Layout(NamedTuple):
    """The size of the drawing, its nodes and its curves, in pixels.

    Attributes:
        width: the width of the drawing.
        height: the height of the drawing.
        nodes: the middle of each node, in the order given.
        curves: the curve of each edge: a start, then three points for each cubic Bezier segment, as
            in SVG's `C`.
    """

    width: float
    height: float
    nodes: list[Point]
    curves: list[list[Point]]


def lay_out(
    sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]], sideways: bool = False
) -> Layout:
    """Place the nodes and route the edges.

    Args:
        sizes: the width and height of each node, in pixels.
        edges: pairs of indices into `sizes`, source and target.
        sideways: whether layers are columns, from left to right, rather than rows.
    """
    back = going_back(len(sizes), edges)
    layers = layers_of(len(sizes), [edge for edge in edges if edge not in back])
    places = [
        Place(layer, *(size[::-1] if sideways else size))
        for layer, size in zip(layers, sizes, strict=True)
    ]
    rows: list[list[Place]] = [[] for _ in range(max(layers, default=0) + 1)]
    for place in places:
        rows[place.layer].append(place)
    ways = [_way(places[a], places[b], (a, b) in back) for a, b in edges]
    for way in ways:
        if not _goes_back(way):
            _join(way, rows)
    _order(rows)
    for way in ways:
        if _goes_back(way):
            _join_beside(way, rows)
    place_all(rows)
    tops = _tops(rows)
    curves = [_curve(way, tops, rows) for way in ways]
    middles = [Point(p.x, tops[p.layer] + _depth(rows[p.layer]) / 2) for p in places]
    width = max((p.x + p.width / 2 for row in rows for p in row), default=0) + MARGIN
    length = tops[-1] + _depth(rows[-1]) + MARGIN
    if sideways:
        middles = [Point(y, x) for x, y in middles]
        curves = [[Point(y, x) for x, y in curve] for curve in curves]
        width, length = length, width
    return Layout(width, length, middles, curves)


def _way(source: Place, target: Place, back: bool) -> list[Place]:
    """Return the edge's places, layer by layer; an edge that goes back gets a lane at the side."""
    layers = range(source.layer + 1, target.layer)
    if back:
        layers = range(source.layer, target.layer - 1, -1)
    lane = [Place(layer, 6.0, 0.0, passing=True) for layer in layers]
    return [source, *lane, target]


def _goes_back(way: list[Place]) -> bool:
    return way[0].layer >= way[-1].layer


def _join(way: list[Place], rows: list[list[Place]]) -> None:
    for place in way[1:-1]:
        rows[place.layer].append(place)
    for upper, lower in pairwise(way):
        upper.below.append(lower)
        lower.above.append(upper)


def _join_beside(way: list[Place], rows: list[list[Place]]) -> None:
    """Insert the lane at the left or right end of its rows, nearer to the edge's ends."""
    source, *lane, target = way
    for place in lane:
        row = rows[place.layer]
        row.insert(0 if source.order + target.order < 1 else len(row), place)
    for lower, upper in pairwise(lane):
        upper.below.append(lower)
        lower.above.append(upper)


def _order(rows: list[list[Place]]) -> None:
    """Order each layer by the mean place of its neighbours, for few crossings."""
    for row in rows:
        _number(row)
    best, fewest = [list(row) for row in rows], _crossings(rows)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            middle = {}
            for place in row:
                neighbours = place.above if down else place.below
                orders = [neighbour.order for neighbour in neighbours]
                middle[id(place)] = sum(orders) / len(orders) if orders else place.order
            row.sort(key=lambda place: middle[id(place)])
            _number(row)
        crossings = _crossings(rows)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    for row, ordered in zip(rows, best, strict=True):
        row[:] = ordered
        _number(row)


def _number(row: list[Place]) -> None:
    for number, place in enumerate(row):
        place.order = (number + 0.5) / len(row)


def _crossings(rows: list[list[Place]]) -> int:
    count = 0
    for row in rows:
        ends_so_far: list[float] = []
        for place in row:
            ends = sorted(lower.order for lower in place.below)
            count += sum(len(ends_so_far) - bisect(ends_so_far, end) for end in ends)
            for end in ends:
                insort(ends_so_far, end)
    return count


def _depth(row: list[Place]) -> float:
    return max((place.depth for place in row), default=0.0)


def _tops(rows: list[list[Place]]) -> list[float]:
    tops, top = [], MARGIN
    for row in rows:
        tops.append(top)
        wide = max((abs(place.x - low.x) for place in row for low in place.below), default=0.0)
        top += _depth(row) + min(max(GAP, wide / 8), 3 * GAP)
    return tops


def _curve(way: list[Place], tops: list[float], rows: list[list[Place]]) -> list[Point]:
    source, *lane, target = way
    goes_back = _goes_back(way)
    out = tops[source.layer] + (_depth(rows[source.layer]) + source.depth) / 2
    into = tops[target.layer] + (_depth(rows[target.layer]) - target.depth) / 2
    curve = [Point(source.x, out)]
    for place in lane:
        top, bottom = tops[place.layer], tops[place.layer] + _depth(rows[place.layer])
        here, there = (bottom, top) if goes_back else (top, bottom)
        _bend(curve, Point(place.x, here), goes_back and place is lane[0])
        _bend(curve, Point(place.x, there))
    _bend(curve, Point(target.x, into), goes_back)
    return curve


def _bend(curve: list[Point], to: Point, around: bool = False) -> None:
    """Continue the curve to a point.

    The curve leaves and arrives along the direction of the layers. With `around`, the curve turns
    back within the gap between layers.
    """
    start = curve[-1]
    if not around:
        middle = (start.y + to.y) / 2
        curve += [Point(start.x, middle), Point(to.x, middle), to]
        return
    leaves = len(curve) == 1
    turn = max(start.y, to.y) + 0.75 * GAP if leaves else min(start.y, to.y) - 0.75 * GAP
    curve += [Point(start.x, turn), Point(to.x, turn), to]
