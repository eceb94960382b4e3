"""Threads for work on large payloads: the event loop serves other requests meanwhile."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

LARGE_BYTES = 100_000  # as JSON, roughly: for less, a thread costs more time than it saves
AT_ONCE = 2  # threads: more would share one interpreter all the same, and hold more memory

_threads = ThreadPoolExecutor(AT_ONCE, "large")


async def do(function: Callable[..., T], *args: Any) -> T:
    """Call the function in a thread, as soon as one is free, and return the result."""
    return await asyncio.get_running_loop().run_in_executor(_threads, partial(function, *args))


async def if_large(payload: Any, function: Callable[..., T], *args: Any) -> T:
    """Call the function, in a thread if the payload is large, and return the result."""
    return await do(function, *args) if is_large(payload) else function(*args)


def is_large(payload: Any) -> bool:
    """True if a payload of texts, lists, mappings and the like exceeds `LARGE_BYTES`.

    The estimate stops at that size: a payload of any size takes a bounded time.
    """
    left, todo = LARGE_BYTES, [payload]
    while todo and left >= 0:
        part = todo.pop()
        left -= 2  # brackets, or a digit and a comma
        if isinstance(part, str):
            left -= len(part)
        elif part is None or isinstance(part, (int, float)):
            continue
        elif isinstance(part, (list, tuple)):
            todo += islice(part, left + 1)
        elif isinstance(part, (dict, Mapping)):
            todo += islice(part, left + 1)
            todo += islice(part.values(), left + 1)
    return left < 0
