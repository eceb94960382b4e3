"""Where within its layer each node is placed: near the middle of its neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf

APART, MARGIN = 26.0, 40.0
SWEEPS = 32
SETTLED = 24
"""The sweeps by which lines have found their place: from then on they only straighten."""
STRAIGHT = 100.0
"""How much more a straight line resists a bend than a node to leave the middle of others."""


@dataclass(slots=True)
class Place:
    """A node, or where a long edge passes through a layer."""

    layer: int
    width: float
    depth: float
    passing: bool = False
    order: float = 0.0  # from 0 to 1, so that layers of any length compare
    x: float = 0.0
    above: list[Place] = field(default_factory=list)
    below: list[Place] = field(default_factory=list)


def place_all(rows: list[list[Place]]) -> None:
    """Move each layer's places towards the middle of their neighbours, in their order."""
    for row in rows:
        _spread(row, [0.0] * len(row), [1.0] * len(row))
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        settled = sweep >= SETTLED
        for row in rows if down else reversed(rows):
            wanted, weights = [], []
            for place in row:
                near = [*place.above, *place.below]
                pulls = [_pull(upper, place, down or settled) for upper in place.above]
                pulls += [_pull(place, lower, settled or not down) for lower in place.below]
                total = sum(pulls)
                pulled = sum(other.x * pull for other, pull in zip(near, pulls, strict=True))
                wanted.append(pulled / total if near else place.x)
                weights.append(total or 0.1)
            _spread(row, wanted, weights)
    for _ in range(3):
        _straighten(rows)
    left = min((place.x - place.width / 2 for row in rows for place in row), default=0.0)
    for row in rows:
        for place in row:
            place.x += MARGIN - left


def _straighten(rows: list[list[Place]]) -> None:
    """Where a line is all but straight, and there is room, make it straight."""
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
            if line[0].passing and not line[0].above:  # beside all: as near to them as can be
                middle = high if low == -inf else low
            for place in line:
                place.x = max(low, min(middle, high))


def _lines(rows: list[list[Place]]) -> Iterator[list[Place]]:
    """What should be straight, from its top."""
    for row in rows:
        for place in row:
            if not any(_is_straight(upper, place) for upper in place.above):
                line = [place]
                while below := [low for low in line[-1].below if _is_straight(line[-1], low)]:
                    line.append(below[0])
                yield line


def _pull(upper: Place, lower: Place, leads: bool) -> float:
    """How much the one that leads in this sweep moves the other."""
    if not _is_straight(upper, lower):
        return 1.0
    return STRAIGHT if leads else 1 / STRAIGHT


def _is_straight(upper: Place, lower: Place) -> bool:
    """Whether nothing else is between them, or a long edge goes on."""
    return len(upper.below) == len(lower.above) == 1 or (upper.passing and lower.passing)


def _distance(left: Place, right: Place) -> float:
    return (left.width + right.width) / 2 + APART


def _spread(row: list[Place], wanted: list[float], weights: list[float]) -> None:
    """Place a row as near as possible to the places wanted, without overlaps.

    Least squares under an order, by pooling neighbours that would overlap.
    """
    offsets, offset = [], 0.0
    for number, place in enumerate(row):
        if number:
            offset += _distance(row[number - 1], place)
        offsets.append(offset)
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, off, weight in zip(wanted, offsets, weights, strict=True):
        mean, total, many = want - off, weight, 1
        while pools and pools[-1][0] >= mean:
            other, other_weight, other_many = pools.pop()
            mean = (mean * total + other * other_weight) / (total + other_weight)
            total, many = total + other_weight, many + other_many
        pools.append((mean, total, many))
    number = 0
    for mean, _, many in pools:
        for _ in range(many):
            row[number].x = mean + offsets[number]
            number += 1
