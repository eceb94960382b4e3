"""Stream: the events that a run has shown, until a reader takes each."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Stream(Generic[T]):
    """A queue with one reader, and an end. Most runs have no reader and many entries."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()
        self._is_closed = False
        self._reader: asyncio.Future[None] | None = None

    def put(self, item: T) -> None:
        """Append the item."""
        self._items.append(item)
        if self._reader is not None:
            self._wake()

    def close(self) -> None:
        """End the stream: `read` ends after the items that are left."""
        self._is_closed = True
        self._wake()

    async def read(self) -> AsyncIterator[T]:
        """Yield the items in order, and wait for further items until the end."""
        while self._items or not self._is_closed:
            if self._items:
                yield self._items.popleft()
            else:
                self._reader = asyncio.get_running_loop().create_future()
                await self._reader

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None and not reader.done():
            reader.set_result(None)
