"""Understudy: says that the process is alive while its event loop is blocked."""

import asyncio
import select
import socket
import threading
from collections.abc import Callable

from starlette.responses import Response

from cairn.api.health import Health
from cairn.api.problems import problem

LOOK_SECONDS = 0.25
HEAD_SECONDS = 0.5  # that a new connection may take to say what it asks for
RETRY_SECONDS = 5

Adopt = Callable[[socket.socket], None]


class Understudy:
    """Answers `/health/live` on the service's own socket while the event loop stands still.

    Whoever starts processes asks there, by a connection of its own, and would end one that is
    only busy. All other connections are handed to the loop, for when it moves again.
    """

    def __init__(
        self, listening: socket.socket, stands_still: Callable[[], float], stuck_seconds: float
    ) -> None:
        """For a service that listens there.

        Args:
            stands_still: for how many seconds the loop has not moved.
            stuck_seconds: after how many of them the process is not well, and may be ended.
        """
        self._listening = listening
        self._stands_still = stands_still
        self._stuck_seconds = stuck_seconds
        self._ended = threading.Event()

    def start(self, adopt: Adopt) -> None:
        """Stand by, in a thread.

        Args:
            adopt: is given, in the running loop, the connections that are for it.
        """
        loop = asyncio.get_running_loop()
        stand_by = threading.Thread(
            target=self._stand_by, args=(loop, adopt), name="understudy", daemon=True
        )
        stand_by.start()

    def stop(self) -> None:
        """Stand by no longer."""
        self._ended.set()

    def _stand_by(self, loop: asyncio.AbstractEventLoop, adopt: Adopt) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            while self._stands_still() and not self._ended.is_set():
                try:
                    if select.select([self._listening], [], [], LOOK_SECONDS)[0]:
                        connection, _ = self._listening.accept()
                        self._meet(connection, loop, adopt)
                except (OSError, ValueError):  # it is gone, or the socket is closed
                    break

    def _meet(
        self, connection: socket.socket, loop: asyncio.AbstractEventLoop, adopt: Adopt
    ) -> None:
        connection.settimeout(HEAD_SECONDS)
        try:
            head = connection.recv(4096, socket.MSG_PEEK)
        except TimeoutError:
            head = b""
        if _asks_for_life(head):
            with connection:
                connection.recv(4096)
                connection.sendall(self._answer(with_body=head.startswith(b"GET")))
        else:
            connection.setblocking(False)
            loop.call_soon_threadsafe(adopt, connection)

    def _answer(self, *, with_body: bool) -> bytes:
        still = self._stands_still()
        if still < self._stuck_seconds:
            body = Health().model_dump_json().encode()
            response = Response(body, media_type="application/json")
        else:
            detail = f"A step has blocked the event loop for {still:.0f} seconds. The log names it."
            response = problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})
        status = "200 OK" if response.status_code == 200 else "503 Service Unavailable"
        headers = [*response.raw_headers, (b"connection", b"close")]
        lines = [f"HTTP/1.1 {status}".encode(), *(b": ".join(pair) for pair in headers)]
        return b"\r\n".join([*lines, b"", bytes(response.body) if with_body else b""])


def _asks_for_life(head: bytes) -> bool:
    words = head.split(b"\r\n", 1)[0].split(b" ")
    return len(words) == 3 and words[0] in (b"GET", b"HEAD") and words[1] == b"/health/live"
