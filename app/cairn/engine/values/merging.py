"""How what a step wrote joins a state that has moved on since the step read it."""

from typing import Any, Final, NamedTuple

import orjson

from cairn.engine.values.extended_json import TAG, VALUE, Json, read_number, write_number


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""There is no such key."""

UNREAD: Final = _Absent()
"""The step has not looked: what it writes replaces whatever is there."""


class Change(NamedTuple):
    """A step read `base` under a key and made it `value`: JSON, or ABSENT, or UNREAD for a base.

    `start` is what the step takes an absent value for: the default with which it has read it.
    """

    base: Any
    value: Any
    start: Any = ABSENT


def merge(current: Any, change: Change) -> Any:
    """What the change makes of the current value.

    Where nothing else has changed it, it is simply the step's value. Otherwise numbers add, lists
    append, mappings merge by key and sets unite; anything else is replaced by what came later.
    Where one of two steps has read what the other has written and not yet completed, the base is
    there and the current value is not: what is merged is still only the step's own part.
    """
    base, value, start = change
    if base is UNREAD or value is ABSENT or same(current, base):
        return value
    current = start if current is ABSENT else current
    base = start if base is ABSENT else base
    number = read_number(value)
    if number is not None:
        return _merge_numbers(current, base, number, value)
    if isinstance(value, list):
        return _merge_lists(_or(current, []), _or(base, []), value)
    if isinstance(value, dict):
        return _merge_mappings(_or(current, _empty_like(value)), _or(base, {}), value)
    return value


def _or(value: Any, empty: Json) -> Json:
    return empty if value is ABSENT else value


def _merge_numbers(current: Any, base: Any, number: Any, value: Json) -> Json:
    there, before = read_number(_or(current, 0)), read_number(_or(base, 0))
    if there is None or before is None:
        return value
    try:
        return write_number(there + (number - before))
    except TypeError:  # as of a Decimal and a float
        return value


def _merge_lists(current: Json, base: Json, value: list[Json]) -> list[Json]:
    if isinstance(current, list) and isinstance(base, list) and value[: len(base)] == base:
        return current + value[len(base) :]
    return value


def _empty_like(value: dict[str, Json]) -> Json:
    tag = value.get(TAG)
    if tag is None:
        return {}
    return {TAG: tag, VALUE: type(value[VALUE])()}


def _merge_mappings(current: Json, base: Json, value: dict[str, Json]) -> Json:
    tag = value.get(TAG)
    if not isinstance(current, dict) or not isinstance(base, dict):
        return value
    if current.get(TAG) != tag or (base and base.get(TAG) != tag):
        return value
    if tag is None:
        return _merge_keys(current, base, value)
    mine, theirs, before = value[VALUE], current[VALUE], base.get(VALUE)
    if tag in ("set", "frozenset"):
        added = [item for item in mine if item not in (before or [])]
        removed = [item for item in before or [] if item not in mine]
        kept = [item for item in theirs if item not in removed]
        kept += [item for item in added if item not in kept]
        return {TAG: tag, VALUE: sorted(kept, key=repr)}
    if tag == "dict":
        return {TAG: tag, VALUE: _merge_pairs(theirs, before or [], mine)}
    if isinstance(mine, dict) and isinstance(theirs, dict):  # the fields of a declared type
        return value | {VALUE: _merge_keys(theirs, before or {}, mine)}
    return value


def _merge_keys(current: dict[str, Json], base: Json, value: dict[str, Json]) -> dict[str, Json]:
    merged = {key: item for key, item in current.items() if key in value or key not in base}
    for key, item in value.items():
        was = base.get(key, ABSENT)
        if was is ABSENT or not same(was, item):
            merged[key] = merge(current.get(key, ABSENT), Change(was, item))
    return merged


def _merge_pairs(current: list[Json], base: list[Json], value: list[Json]) -> list[Json]:
    """Mappings whose keys are not text are written as pairs; their keys are compared by text."""
    keys = {repr(key): key for key, _ in [*current, *base, *value]}
    merged = _merge_keys(*({repr(k): v for k, v in pairs} for pairs in (current, base, value)))
    return [[keys[name], item] for name, item in merged.items()]


def same(left: Any, right: Any) -> bool:
    """Whether two values are the same for whoever reads them."""
    if left is right:
        return True
    if type(left) is not type(right) or left != right:
        return False
    # 1, 1.0 and True are equal, and yet not the same to whoever reads them: inside of these too.
    return type(left) not in (dict, list) or orjson.dumps(left) == orjson.dumps(right)
