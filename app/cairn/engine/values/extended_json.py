"""Extended JSON: values that JSON has no type for, written as tagged objects.

Such a value is `{"$type": name, "$value": ...}`. The convention of reserved keys that begin with
`$` is that of MongoDB Extended JSON; the names of the types are Python's.
"""

import base64
import datetime as dt
import decimal
import math
import pathlib
import uuid
from collections.abc import Callable, Iterable
from typing import Any

Json = Any
"""A tree of dict (with string keys), list, str, int, float, bool and None."""

TAG = "$type"
VALUE = "$value"
LOWEST, HIGHEST = -(2**63), 2**64 - 1
"""The integers that orjson writes: from the lowest of int64 to the highest of uint64."""
LONGEST_SHOWN_BITS = 4_000
"""Longer integers are shown in hexadecimal: Python refuses to write over 4,300 decimal digits."""


def copied(written: Json) -> Json:
    """Return a deep copy of the JSON tree."""
    kind = type(written)
    if kind is dict:
        return {key: copied(item) for key, item in written.items()}
    return [copied(item) for item in written] if kind is list else written


def plain(written: Json) -> Json:
    """Return extended JSON as ordinary JSON for readers: untagged, and no longer exact.

    A mapping's keys become text, sets and tuples become lists, an exception becomes an object of
    its type and message.
    """
    if isinstance(written, list):
        return [plain(item) for item in written]
    if not isinstance(written, dict):
        return written
    if TAG not in written:
        return {key: plain(item) for key, item in written.items()}
    tag, value = written[TAG], written[VALUE]
    if tag == "dict":
        return {str(plain(key)): plain(item) for key, item in value}
    if tag == "int":
        number = int(value, 16)
        return number if number.bit_length() <= LONGEST_SHOWN_BITS else value
    if tag == "Exception":
        return {"type": value[0], "message": value[1]}
    return plain(value)


def write_number(value: Any) -> Json:
    """Write a number as JSON.

    An int or a float that JSON can hold stays a plain number; all other numbers are tagged.
    """
    kind = type(value)
    if kind is int:
        # Hexadecimal: Python refuses to write very long integers in decimal.
        return value if LOWEST <= value <= HIGHEST else {TAG: "int", VALUE: hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {TAG: "float", VALUE: repr(value)}
    return {TAG: kind.__name__, VALUE: WRITERS[kind](value)}


def read_number(written: Any) -> Any:
    """Read a number that `write_number` has written; return `None` for any other JSON."""
    if type(written) in (int, float):
        return written
    if isinstance(written, dict) and written.get(TAG) in _NUMBERS:
        return READERS[written[TAG]](written[VALUE])
    return None


WRITERS: dict[type, Callable[[Any], str]] = {
    bytes: lambda value: base64.b64encode(value).decode(),
    dt.datetime: dt.datetime.isoformat,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: lambda value: f"{value.days}:{value.seconds}:{value.microseconds}",
    decimal.Decimal: str,
    uuid.UUID: str,
    complex: repr,
    pathlib.PosixPath: str,
}
READERS: dict[str, Callable[[str], Any]] = {
    "int": lambda text: int(text, 16),
    "float": float,
    "bytes": base64.b64decode,
    "datetime": dt.datetime.fromisoformat,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "timedelta": lambda text: dt.timedelta(*map(int, text.split(":"))),
    "Decimal": decimal.Decimal,
    "UUID": uuid.UUID,
    "complex": complex,
    "PosixPath": pathlib.Path,
}
_NUMBERS = frozenset({"int", "float", "Decimal", "complex", "timedelta"})
GROUPS: dict[str, Callable[[Iterable[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
