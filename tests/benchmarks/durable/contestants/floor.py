"""The floor: a row for every step, inserted and committed by one thread for all (group commit).

A run is a coroutine. What a step writes goes into a queue; a thread takes out whatever has
gathered, inserts it in one transaction, commits, and tells the runs to go on:

    queue.put(row) -> INSERT ..., COMMIT -> call_soon_threadsafe(all who wait)

Nothing else happens: no routes, no validation, no snapshot. The rows have what a checkpoint has.
"""

import asyncio
import json
import queue
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from os import urandom
from typing import Any, Generic, TypeVar

from tests.benchmarks.durable.contestants import Opened
from tests.benchmarks.durable.load import Load

Item = TypeVar("Item")
Row = tuple[bytes, bytes, int, str, str, str, bytes]

Commit = Callable[[Sequence[Item]], None]
Connect = Callable[[str], tuple[Commit[Item], Callable[[], None]]]
"""Given a URL: what commits items in one transaction, and what lets go of the database."""

GROUP = 256  # as many rows share a commit at most

COLUMNS = "id, run, seq, step, input_type, output_type, payload"
TABLE = """CREATE TABLE rows (id {bytes} PRIMARY KEY, run {bytes} NOT NULL, seq INTEGER NOT NULL,
    step TEXT, input_type TEXT, output_type TEXT, payload {bytes}, UNIQUE (run, seq))"""


class Writer(Generic[Item]):
    """The thread that commits whatever has gathered."""

    def __init__(self, url: str, connect: Connect[Item]) -> None:
        self._url = url
        self._connect = connect
        self._queue: queue.SimpleQueue[tuple[Item, asyncio.Future[None]] | None] = (
            queue.SimpleQueue()
        )
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    async def write(self, item: Item) -> None:
        """Come back when the item is committed."""
        done = self._loop.create_future()
        self._queue.put((item, done))
        await done

    def close(self) -> None:
        """Let go of the database."""
        self._queue.put(None)
        self._thread.join()

    def _write(self) -> None:
        commit, close = self._connect(self._url)
        while (first := self._queue.get()) is not None:
            group = [first]
            while len(group) < GROUP and not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                group.append(following)
            commit([item for item, _ in group])
            self._loop.call_soon_threadsafe(_tell, [done for _, done in group])
        close()


def _tell(waiting: list["asyncio.Future[None]"]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)


def _connected(url: str) -> tuple[Commit[Row], Callable[[], None]]:
    return _sqlite(url) if "sqlite" in url else _postgresql(url)


def _sqlite(url: str) -> tuple[Commit[Row], Callable[[], None]]:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(TABLE.format(bytes="BLOB"))

    def insert(rows: Sequence[Row]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(f"INSERT INTO rows ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.execute("COMMIT")

    return insert, connection.close


def _postgresql(url: str) -> tuple[Commit[Row], Callable[[], None]]:
    import psycopg

    connection = psycopg.connect(url, autocommit=True)
    connection.execute(TABLE.format(bytes="BYTEA"))
    values = ", ".join(["%b"] * 2 + ["%s"] * 4 + ["%b"])

    def insert(rows: Sequence[Row]) -> None:
        if len(rows) == 1:  # a statement is a transaction of its own
            connection.execute(f"INSERT INTO rows ({COLUMNS}) VALUES ({values})", rows[0])
            return
        places = ", ".join([f"({values})"] * len(rows))
        arguments = [field for row in rows for field in row]
        connection.execute(f"INSERT INTO rows ({COLUMNS}) VALUES {places}", arguments)

    return insert, connection.close


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    """Begin, on an empty database."""
    writer = Writer(url, _connected)

    async def run(load: Load) -> int:
        id_ = urandom(16)
        for number in range(load.steps):
            state: dict[str, Any] = {"count": number + 1}
            if (big := load.value(number)) is not None:
                state["value"] = big
            payload = json.dumps({"event": {"number": number + 1}, "state": state}).encode()
            row = (urandom(16), id_, number, "count", "StartEvent", "Round", payload)
            await writer.write(row)
        return load.steps

    try:
        yield Opened(run)
    finally:
        writer.close()
