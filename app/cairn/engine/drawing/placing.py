"""Placing: the coordinate of each node within its layer, near the middle of its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

APART, MARGIN = 26.0, 40.0
"""Pixels between neighbours in a layer, and around the drawing."""
SWEEPS = 32
SETTLED = 24
"""The number of sweeps after which lines keep their place, and only become straighter."""
STRAIGHT = 100.0
"""The weight of a straight line against the weight of one neighbour."""


@dataclass(slots=True)
class Place:
    """A node, or a point where a long edge passes through a layer.

    Attributes:
        layer: the number of the layer, from 0.
        width: the size along the layer, in pixels.
        depth: the size across the layers, in pixels.
        passing: True for a long edge.
        order: the place in the layer's order, from 0 to 1, to compare layers of any length.
        x: the middle along the layer, in pixels.
        above: the neighbours in the layer above.
        below: the neighbours in the layer below.
    """

    layer: int
    width: float
    depth: float
    passing: bool = False
    order: float = 0.0
    x: float = 0.0
    above: list[Place] = field(default_factory=list)
    below: list[Place] = field(default_factory=list)


def place_all(rows: list[list[Place]]) -> None:
    """Move the places of each layer towards the middle of their neighbours, in order."""
    for row in rows:
        _spread(row, [0.0] * len(row), [1.0] * len(row))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        settled = sweep >= SETTLED
        for row in rows if down else reversed(rows):
            wanted, weights = [], []
            for place in row:
                neighbours = [*place.above, *place.below]
                pulls = [_pull(upper, place, down or settled) for upper in place.above]
                pulls += [_pull(place, lower, settled or not down) for lower in place.below]
                total = sum(pulls)
                pulled = sum(n.x * pull for n, pull in zip(neighbours, pulls, strict=True))
                wanted.append(pulled / total if neighbours else place.x)
                weights.append(total or 0.1)
            _spread(row, wanted, weights)
    for _ in range(3):
        _straighten(rows)
    left = min((place.x - place.width / 2 for row in rows for place in row), default=0.0)
    for row in rows:
        for place in row:
            place.x += MARGIN - left


def _straighten(rows: list[list[Place]]) -> None:
    """Make each nearly straight line straight, if there is room."""
    beside = {}
    for row in rows:
        for before, place, after in zip([None, *row], row, [*row[1:], None], strict=False):
            beside[id(place)] = before, after
    for line in _lines(rows):
        low, high = -inf, inf
        for place in line:
            before, after = beside[id(place)]
            if before is not None:
                low = max(low, before.x + _distance(before, place))
            if after is not None:
                high = min(high, after.x - _distance(place, after))
        if low <= high + 0.01:
            middle = sum(place.x for place in line) / len(line)
            if line[0].passing and not line[0].above:  # a lane at the side, near to the nodes
                middle = high if low == -inf else low
            for place in line:
                place.x = max(low, min(middle, high))


def _lines(rows: list[list[Place]]) -> Iterator[list[Place]]:
    """Return the lines that should be straight, each from its top."""
    for row in rows:
        for place in row:
            if not any(_is_straight(upper, place) for upper in place.above):
                line = [place]
                while below := [low for low in line[-1].below if _is_straight(line[-1], low)]:
                    line.append(below[0])
                yield line


def _pull(upper: Place, lower: Place, leads: bool) -> float:
    """Return the weight of one end on the other end, large if the line leads in this sweep."""
    if not _is_straight(upper, lower):
        return 1.0
    return STRAIGHT if leads else 1 / STRAIGHT


def _is_straight(upper: Place, lower: Place) -> bool:
    """Return True if the two are each other's only neighbours, or parts of one long edge."""
    return len(upper.below) == len(lower.above) == 1 or (upper.passing and lower.passing)


def _distance(left: Place, right: Place) -> float:
    return (left.width + right.width) / 2 + APART


def _spread(row: list[Place], wanted: list[float], weights: list[float]) -> None:
    """Place the row as near as possible to the wanted places, without overlaps.

    Least squares under a fixed order, by the pool-adjacent-violators algorithm of isotonic
    regression.

    Args:
        row: the places, from left to right.
        wanted: the wanted `x` of each place.
        weights: the weight of each place's wish.
    """
    offsets, offset = [], 0.0
    for number, place in enumerate(row):
        if number:
            offset += _distance(row[number - 1], place)
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []  # mean, weight, count
    for want, off, weight in zip(wanted, offsets, weights, strict=True):
        mean, total, count = want - off, weight, 1
        while pools and pools[-1][0] >= mean:
            left_mean, left_weight, left_count = pools.pop()
            mean = (mean * total + left_mean * left_weight) / (total + left_weight)
            total, count = total + left_weight, count + left_count
        pools.append((mean, total, count))
    number = 0
    for mean, _, count in pools:
        for _ in range(count):
            row[number].x = mean + offsets[number]
            number += 1
