"""JSON Patches (RFC 6902): the difference of two JSON objects, with the old values beside it."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple, NotRequired, TypedDict, cast

from jsonpatch import JsonPatch
from jsonpointer import JsonPointer

from cairn.engine.values.extended_json import Json, copied

DEEPEST = 32  # a difference further down is shown as one of the value around it
MOST = 50_000  # characters of paths in the differing parts of two lists, for a patch item by item
MOST_IN_ALL = 2_000_000  # characters of paths in a patch: names can be long, and repeat in paths
ITEM = 6  # characters of a list's index in a path, roughly

Place = tuple[str | int, ...]
"""The names and indexes on the way to a value."""


class Operation(TypedDict):
    """One operation of a patch; `old` is the value that the operation replaces or removes."""

    op: Literal["add", "remove", "replace"]
    path: str
    value: NotRequired[Json]
    old: NotRequired[Json]


class _Pair(NamedTuple):
    """A value before and after, and the place of both."""

    place: Place
    before: Json
    after: Json


def patch(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Operation]:
    """The patch that makes the one JSON object of the other.

    Members of objects are compared by name, and items of lists are matched up. Lists that differ in
    very many places, and values that lie very deep, are replaced whole: the time for a patch grows
    with the size of the objects, and the patch is not much longer than both.
    """
    found: list[Operation] = []
    length = 0
    for operation in _fine(before, after):
        length += len(operation["path"])
        if length > MOST_IN_ALL:
            return list(_coarse(before, after))
        found.append(operation)
    return found


def _coarse(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[Operation]:
    """Yield the operations that replace whole members of the objects."""
    yield from _of_names((), before, after)
    for name in sorted(before.keys() & after.keys()):
        if not _same(before[name], after[name]):
            yield _replaced(_Pair((name,), before[name], after[name]))


def _fine(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[Operation]:
    """Yield the operations that change the smallest parts of the objects."""
    todo = [_Pair((), before, after)]
    while todo:
        pair = todo.pop()
        place, one, other = pair
        if isinstance(one, Mapping) and isinstance(other, Mapping) and len(place) < DEEPEST:
            yield from _of_names(place, one, other)
            both = sorted(one.keys() & other.keys(), reverse=True)
            todo += [_Pair((*place, name), one[name], other[name]) for name in both]
        elif isinstance(one, list) and isinstance(other, list) and len(place) < DEEPEST:
            start, left, right = _differing(one, other)
            if len(left) == len(right) == 1:
                todo.append(_Pair((*place, start), left[0], right[0]))
            elif not left and not right:
                continue
            elif _is_small([*left, *right], len(_path(place))):
                yield from _of_items(place, start, left, right)
            else:
                yield _replaced(pair)
        elif not _same(one, other):
            yield _replaced(pair)


def _of_names(
    place: Place, before: Mapping[str, Json], after: Mapping[str, Json]
) -> Iterator[Operation]:
    """Yield the operations for the members that only one of the objects has."""
    for name in sorted(before.keys() - after.keys()):
        yield {"op": "remove", "path": _path((*place, name)), "old": before[name]}
    for name in sorted(after.keys() - before.keys()):
        yield {"op": "add", "path": _path((*place, name)), "value": after[name]}


def _of_items(
    place: Place, start: int, before: list[Json], after: list[Json]
) -> Iterator[Operation]:
    """Yield the operations for parts of two lists.

    Args:
        place: the place of the lists.
        start: the index at which the parts begin.
        before: the part of the list before.
        after: the part of the list after.
    """
    now = copied(before)  # as the operations so far have left the part: indexes refer to that
    # The search for moved values would take long, and a move has no old value.
    for made in JsonPatch.from_diff(before, after, optimization=False).patch:
        pointer = JsonPointer(made["path"])
        index, *rest = pointer.parts
        here = made | {"path": _path((*place, start + int(index), *rest))}
        operation = cast("Operation", here)
        if made["op"] != "add":
            operation["old"] = pointer.resolve(now)
        now = JsonPatch([made]).apply(now, in_place=True)
        yield operation


def _replaced(pair: _Pair) -> Operation:
    return {"op": "replace", "path": _path(pair.place), "value": pair.after, "old": pair.before}


def _differing(before: list[Json], after: list[Json]) -> tuple[int, list[Json], list[Json]]:
    """The parts of two lists between the items that both begin with and both end with.

    Returns:
        The index at which the parts begin, and the parts.
    """
    start = _equal_items(zip(before, after, strict=False))
    left, right = before[start:], after[start:]
    end = _equal_items(zip(reversed(left), reversed(right), strict=False))
    return start, left[: len(left) - end], right[: len(right) - end]


def _equal_items(pairs: Iterable[tuple[Json, Json]]) -> int:
    """The number of equal pairs before the first that differs."""
    number = 0
    for one, other in pairs:
        if not _same(one, other):
            break
        number += 1
    return number


def _same(one: Json, other: Json) -> bool:
    """True if two values are equal as JSON; Python's `==` does not tell 1, 1.0 and True apart."""
    if type(one) is not type(other) or one != other:
        return False
    if not isinstance(one, (dict, list)):
        return True
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _is_small(parts: Sequence[Json], way: int) -> bool:
    """True if the paths to all values in these parts of a list have at most `MOST` characters.

    Args:
        parts: the parts.
        way: the characters of the list's own path.
    """
    left, todo = MOST, [(part, way + ITEM) for part in islice(parts, MOST)]
    while todo and left >= 0:
        part, way = todo.pop()
        left -= way
        if isinstance(part, list):
            todo += [(item, way + ITEM) for item in islice(part, MOST)]
        elif isinstance(part, Mapping):
            todo += [(item, way + len(name) + 1) for name, item in islice(part.items(), MOST)]
    return left >= 0


def _path(place: Place) -> str:
    """The place as a JSON Pointer (RFC 6901)."""
    path: str = JsonPointer.from_parts(place).path
    return path
