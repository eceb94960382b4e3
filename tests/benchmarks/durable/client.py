"""The client, in a process of its own: as many requests at once, each on a connection kept alive.

    {"port": 8000, "path": "/runs", "headers": {}, "bodies": ["..."], "concurrency": 16,
     "seconds": 1.5, "expected": "completed"}
    ->  {"seconds": 1.52, "latencies": [0.01, ...], "processor": 0.05}

It speaks just enough HTTP/1.1: an answer has a Content-Length. `processor` is what the client
itself took, in seconds: there are few cores, and it shares them with who is measured.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from time import perf_counter, process_time
from typing import Any, cast

import uvloop

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"


class Connection(asyncio.Protocol):
    """One connection: asks again as soon as it is answered, until the time is over."""

    def __init__(self, requests: Iterator[bytes], expected: bytes, until: float) -> None:
        self.latencies: list[float] = []
        self.done = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._expected = expected
        self._until = until
        self._asked_at = 0.0
        self._answer = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Part of an answer, or all of it."""
        self._answer += data
        head = self._answer.find(END_OF_HEAD)
        if head < 0:
            return
        fields = bytes(self._answer[:head]).lower()
        start = fields.find(LENGTH)
        if start < 0:
            self._fail(f"an answer without a length: {fields[:200]!r}")
            return
        length = int(fields[start + len(LENGTH) :].split(b"\r\n", 1)[0])
        if len(self._answer) < head + len(END_OF_HEAD) + length:
            return
        now = perf_counter()
        if self._expected not in self._answer:
            self._fail(f"an answer that was not expected: {bytes(self._answer[:500])!r}")
            return
        self.latencies.append(now - self._asked_at)
        self._answer.clear()
        if now < self._until:
            self._ask()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """Closed by the server, unless it was by us."""
        if not self.done.done():
            self._fail("the connection was lost")

    def _ask(self) -> None:
        self._asked_at = perf_counter()
        self._transport.write(next(self._requests))

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(why))
        self._transport.abort()


def requests(question: dict[str, Any]) -> Iterator[bytes]:
    """The requests, over and over."""
    return itertools.cycle([_request(question, body) for body in question.get("bodies", [""])])


def _request(question: dict[str, Any], body: str) -> bytes:
    method = "POST" if body else "GET"
    headers = {
        "Host": f"127.0.0.1:{question['port']}",
        "Content-Type": "application/json",
        "Content-Length": str(len(body.encode())),
        **question.get("headers", {}),
    }
    head = "".join(f"{name}: {said}\r\n" for name, said in headers.items())
    return f"{method} {question['path']} HTTP/1.1\r\n{head}\r\n{body}".encode()


async def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Ask as told, and tell how long each answer took."""
    loop = asyncio.get_running_loop()
    asked, expected = requests(question), question["expected"].encode()
    began, processor = perf_counter(), process_time()
    until = began + question["seconds"]
    connections = []
    for _ in range(question["concurrency"]):
        _, connection = await loop.create_connection(
            lambda: Connection(asked, expected, until), "127.0.0.1", question["port"]
        )
        connections.append(connection)
    await asyncio.gather(*(connection.done for connection in connections))
    return {
        "seconds": perf_counter() - began,
        "latencies": [round(one, 6) for made in connections for one in made.latencies],
        "processor": process_time() - processor,
    }


def main() -> None:
    """Answer until there is nothing more to answer."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            try:
                reply = runner.run(answer(json.loads(line)))
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), flush=True)


if __name__ == "__main__":
    main()
