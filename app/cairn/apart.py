"""What is done to large payloads: in threads, so that the event loop serves others meanwhile."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, TypeVar

T = TypeVar("T")

LARGE_BYTES = 100_000  # as JSON, roughly: below, a thread costs more than it gains
AT_ONCE = 2  # more would only share one interpreter, and hold more in memory

_threads = ThreadPoolExecutor(AT_ONCE, "large")


async def do(function: Callable[..., T], *args: Any) -> T:
    """What the function returns, called in a thread; it waits while others are at work."""
    return await asyncio.get_running_loop().run_in_executor(_threads, partial(function, *args))


async def if_large(payload: Any, function: Callable[..., T], *args: Any) -> T:
    """What the function returns: called at once, or in a thread where the payload is large."""
    return await do(function, *args) if is_large(payload) else function(*args)


def is_large(payload: Any) -> bool:
    """Whether the payload, of texts, lists, mappings and the like, takes more than `LARGE_BYTES`.
    No more of it is looked at than that takes."""
    left, todo = LARGE_BYTES, [payload]
    while todo and left >= 0:
        part = todo.pop()
        left -= 2  # its brackets, or a digit and a comma
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
