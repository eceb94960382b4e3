"""Merging: a step's change to the state joins a state that has moved on since the step read."""

from typing import Any, Final, NamedTuple

import orjson

from cairn.engine.values.extended_json import TAG, VALUE, Json, read_number, write_number


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""In place of a value: the key does not exist."""

UNREAD: Final = _Absent()
"""In place of a base: the step wrote without reading, so its value replaces the current one."""


class Change(NamedTuple):
    """A change by one step to the value under one key.

    Attributes:
        base: the value that the step read, as JSON; `ABSENT` if there was none, `UNREAD` if the
            step did not read.
        value: the value that the step wrote, as JSON; `ABSENT` if the step deleted the key.
        start: the default that the step gave when reading, as JSON. An absent value counts as
            `start` in the merge.
    """

    base: Any
    value: Any
    start: Any = ABSENT


def merge(current: Any, change: Change) -> Any:
    """Return the value under a key after a change is applied to its current value.

    If no other step has changed the key, the result is the step's value. Otherwise numbers add,
    lists append, mappings merge by key and sets unite; any other value is replaced by the later
    one.

    The current value can be absent although the base is not: the step has read a value that was
    written by a step which has not completed. Only the difference to the base is merged then.

    Args:
        current: the value under the key now, as JSON, or `ABSENT`.
        change: the change to apply.
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
        return _merge_lists(_value_or(current, []), _value_or(base, []), value)
    if isinstance(value, dict):
        return _merge_mappings(_value_or(current, _empty_like(value)), _value_or(base, {}), value)
    return value


def _value_or(value: Any, empty: Json) -> Json:
    return empty if value is ABSENT else value


def _merge_numbers(current: Any, base: Any, number: Any, value: Json) -> Json:
    now, before = read_number(_value_or(current, 0)), read_number(_value_or(base, 0))
    if now is None or before is None:
        return value
    try:
        return write_number(now + (number - before))
    except TypeError:  # a Decimal and a float do not add
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
    """Merge mappings with keys other than text, which are written as pairs.

    Keys are compared by their `repr`: a key can be a list or a dict of JSON.
    """
    keys = {repr(key): key for key, _ in [*current, *base, *value]}
    merged = _merge_keys(*({repr(k): v for k, v in pairs} for pairs in (current, base, value)))
    return [[keys[name], item] for name, item in merged.items()]


def same(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal, of the same types at every depth.

    Python's `==` alone does not tell 1, 1.0 and True apart. Within mappings the order of keys
    counts.
    """
    if left is right:
        return True
    if type(left) is not type(right) or left != right:
        return False
    return type(left) not in (dict, list) or orjson.dumps(left) == orjson.dumps(right)
