"""Request bodies as JSON by RFC 8259, with limits to the number of values and to numbers."""

import json
import math
import re
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any

from cairn.engine.values.extended_json import LONGEST_SHOWN_BITS
from cairn.errors import Invalid, NumberTooLarge, Problem, TooManyValues

MOST_DIGITS = int(LONGEST_SHOWN_BITS * math.log10(2))  # of an integer that is shown in decimal
MOST_FIELDS = 1_000  # at the top: pydantic would refuse unknown fields one by one, which takes long
TOO_LARGE = (
    f"This number is too large to be kept as it is: integers have at most {MOST_DIGITS} digits, "
    "others lie between -1.7e308 and 1.7e308. Send it as text."
)

SEPARATOR = re.compile(
    r"""(?: "(?:[^"\\]++|\\.?)*+(?:"|\Z)   # a string, whatever is in it
          | [\[{]\s*+[\]}]                  # a list or an object without anything in it
          | [^",\[{]++
        ){0,1000}+ ([,\[{])?""",
    re.DOTALL | re.VERBOSE,
)
"""The separator before each value but the first, as group 1, with all text up to there.

The quantifiers are possessive: no character is read twice. A match ends after 1,000 parts even
without a separator: between two matches, other threads get the interpreter.
"""


class _TooLarge(Exception):
    """A number is too large; `_explained` finds the place."""


def _constant(constant: str) -> None:
    raise json.JSONDecodeError(f"{constant} is no JSON number", constant, 0)


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MOST_DIGITS:
        raise _TooLarge
    return int(digits)


def _decimal(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _TooLarge
    return number


STRICTLY = json.JSONDecoder(
    parse_constant=_constant, parse_int=_integer, parse_float=_decimal
)  # Python's own reader also takes NaN and Infinity, and makes infinity of 1e400


def parse(body: bytes, most_values: int) -> Any:
    """Parse a request body.

    Args:
        body: JSON in UTF-8, UTF-16 or UTF-32.
        most_values: the most values allowed; each text, number, list and so on is one.

    Raises:
        json.JSONDecodeError: the body is not JSON.
        UnicodeDecodeError: the body is not text.
        RecursionError: lists or objects are nested too deep.
        TooManyValues: the body has more than `most_values` values.
        NumberTooLarge: a number is too large to be stored unchanged.
        Invalid: the body is an object of more than `MOST_FIELDS` fields.
    """
    text = body.decode(json.detect_encoding(body), "surrogatepass")
    if _has_more_values(text, most_values):
        raise TooManyValues(
            f"The body has more than {most_values} values. Send fewer, in several requests or as "
            "text, or raise CAIRN_MAX_BODY_VALUES."
        )
    try:
        value = STRICTLY.decode(text)
    except _TooLarge:
        raise _explained(text) from None
    if isinstance(value, dict) and len(value) > MOST_FIELDS:
        message = f"The body has {len(value)} fields, and none is taken that has so many."
        raise Invalid(message, [Problem(("body",), message)])
    return value


def _has_more_values(text: str, most: int) -> bool:
    """True if the text has more than `most` values; found without making the values."""
    if text.count(",") + text.count("[") + text.count("{") < most:
        return False  # as nearly always: too few, even with those in strings
    separators = (found for found in SEPARATOR.finditer(text) if found[1])
    return any(True for _ in islice(separators, most - 1, None))


def _explained(text: str) -> NumberTooLarge:
    """The refusal of a number that is too large, with its place: the text is parsed once more."""

    def marked(read: Callable[[str], float]) -> Callable[[str], Any]:
        def mark(digits: str) -> Any:
            try:
                return read(digits)
            except _TooLarge:
                return _TooLarge

        return mark

    marking = json.JSONDecoder(
        parse_constant=_constant, parse_int=marked(_integer), parse_float=marked(_decimal)
    )
    where: tuple[str | int, ...] = ("body", *_place(marking.decode(text)))
    return NumberTooLarge(f"{'.'.join(map(str, where))}: {TOO_LARGE}", [Problem(where, TOO_LARGE)])


def _place(value: Any) -> tuple[str | int, ...]:
    """The path to the mark `_TooLarge`; empty if a later duplicate of a key has hidden the mark."""
    places: deque[tuple[tuple[str | int, ...], Any]] = deque([((), value)])
    while places:
        path, part = places.popleft()
        if part is _TooLarge:
            return path
        if isinstance(part, dict):
            places.extend(((*path, key), item) for key, item in part.items())
        elif isinstance(part, list):
            places.extend(((*path, number), item) for number, item in enumerate(part))
    return ()
