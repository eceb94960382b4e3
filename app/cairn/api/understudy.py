"""Understudy: answers liveness checks while the event loop is blocked."""

import asyncio
import select
import socket
import threading
from collections.abc import Callable

from starlette.responses import Response

from cairn.api.health import Health
from cairn.api.problems import problem

LOOK_SECONDS = 0.25
HEAD_SECONDS = 0.5  # until a new connection has sent the head of a request
RETRY_SECONDS = 5

Adopt = Callable[[socket.socket], None]


class Understudy:
    """Answers `/health/live` on the service's own socket while the event loop stands still.

    A process manager checks there, by a new connection each time, and would kill a process that is
    only busy. All other connections are handed to the event loop for later.
    """

    def __init__(
        self, listening: socket.socket, stands_still: Callable[[], float], stuck_seconds: float
    ) -> None:
        """An understudy for a service.

        Args:
            listening: the service's listening socket.
            stands_still: gives the seconds for which the loop has not moved; 0 if moving.
            stuck_seconds: seconds of standstill after which the answer is 503.
        """
        self._listening = listening
        self._stands_still = stands_still
        self._stuck_seconds = stuck_seconds
        self._ended = threading.Event()

    def start(self, adopt: Adopt) -> None:
        """Stand by in a thread. Must be called in the event loop.

        Args:
            adopt: called in the event loop with each connection for the service.
        """
        loop = asyncio.get_running_loop()
        stand_by = threading.Thread(
            target=self._stand_by, args=(loop, adopt), name="understudy", daemon=True
        )
        stand_by.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()

    def _stand_by(self, loop: asyncio.AbstractEventLoop, adopt: Adopt) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            while self._stands_still() and not self._ended.is_set():
                try:
                    if select.select([self._listening], [], [], LOOK_SECONDS)[0]:
                        connection, _ = self._listening.accept()
                        self._handle(connection, loop, adopt)
                except (OSError, ValueError):  # the client or the listening socket is gone
                    break

    def _handle(
        self, connection: socket.socket, loop: asyncio.AbstractEventLoop, adopt: Adopt
    ) -> None:
        connection.settimeout(HEAD_SECONDS)
        try:
            head = connection.recv(4096, socket.MSG_PEEK)
        except TimeoutError:
            head = b""
        if _is_liveness_check(head):
            with connection:
                connection.recv(4096)
                connection.sendall(self._answer(with_body=head.startswith(b"GET")))
        else:
            connection.setblocking(False)
            loop.call_soon_threadsafe(adopt, connection)

    def _answer(self, *, with_body: bool) -> bytes:
        seconds = self._stands_still()
        if seconds < self._stuck_seconds:
            body = Health().model_dump_json().encode()
            response = Response(body, media_type="application/json")
        else:
            detail = (
                f"A step has blocked the event loop for {seconds:.0f} seconds. The log names it."
            )
            response = problem(503, detail, headers={"Retry-After": str(RETRY_SECONDS)})
        status = "200 OK" if response.status_code == 200 else "503 Service Unavailable"
        headers = [*response.raw_headers, (b"connection", b"close")]
        lines = [f"HTTP/1.1 {status}".encode(), *(b": ".join(pair) for pair in headers)]
        return b"\r\n".join([*lines, b"", bytes(response.body) if with_body else b""])


def _is_liveness_check(head: bytes) -> bool:
    words = head.split(b"\r\n", 1)[0].split(b" ")
    return len(words) == 3 and words[0] in (b"GET", b"HEAD") and words[1] == b"/health/live"
