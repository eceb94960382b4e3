"""The JSON of bodies: strictly that of RFC 8259, of so many values, in numbers that can be kept."""

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
MOST_FIELDS = 1_000  # at the top: what no endpoint takes is refused one by one, which takes long
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
"""What stands before each value but the first, with what is before it. Nothing is gone through
twice, and a text without any is gone through in pieces: other threads have their turn between."""


class _TooLarge(Exception):
    """A number cannot be kept; `_explained` finds out which."""


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


def parsed(body: bytes, most_values: int) -> Any:
    """The value that the body stands for.

    Raises:
        json.JSONDecodeError: the body is not JSON.
        TooManyValues: more values are in it: each text, number, list and so on is one.
        NumberTooLarge: a number in it is too large to be kept.
        Invalid: it has more fields than any endpoint takes.
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
    """Whether it does, before a list of millions is made of it."""
    if text.count(",") + text.count("[") + text.count("{") < most:
        return False  # as nearly always: also those in strings are too few
    separators = (found for found in SEPARATOR.finditer(text) if found[1])
    return any(True for _ in islice(separators, most - 1, None))


def _explained(text: str) -> NumberTooLarge:
    """Where the number stands: looked for only when there is one."""

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
    """The way to what is marked; none where a key that is there twice has hidden it."""
    places: deque[tuple[tuple[str | int, ...], Any]] = deque([((), value)])
    while places:
        way, here = places.popleft()
        if here is _TooLarge:
            return way
        if isinstance(here, dict):
            places.extend(((*way, key), item) for key, item in here.items())
        elif isinstance(here, list):
            places.extend(((*way, number), item) for number, item in enumerate(here))
    return ()
