"""HTTP on one connection, with an end to what its client may send and how long it may take."""

import asyncio
from typing import Any, Literal, cast

import structlog
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from cairn.api.problems import problem

log = structlog.get_logger(__name__)

HEAD_BYTES = 65_536
PIPELINED = 1_000  # requests that wait for the answers to those before
RETRY_SECONDS = 5
SILENT_SECONDS = 60.0  # after a line in the log that there are too many connections

Phase = Literal["idle", "head", "body", "turned away"]
SECONDS: dict[Phase, float] = {
    "idle": 20.0,  # to the first byte of a request; between two, uvicorn's keep-alive ends sooner
    "head": 10.0,  # from there to the end of the head
    "body": 60.0,  # from there to the end of the body
    "turned away": 1.0,  # to the end of a head, where there are too many connections
}
"""How long the client may take for what it is to send next."""


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol, which itself would read a head without end, and wait for its client as
    long as it takes. Its `on_...` methods are what the parser calls.

    The timer is set once and looks again when it has rung too early: a request costs no timer.
    """

    said_at = float("-inf")  # when the log was last told of too many connections, for all of them

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Take over uvicorn's `limit_concurrency`, whose refusal would be no problem document."""
        super().__init__(config, server_state, app_state, _loop)
        self._most_connections, self.limit_concurrency = self.limit_concurrency, None
        self._phase: Phase = "idle"
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._barren = 0  # bytes in a row that completed nothing, and were no body's
        self._is_barren = True
        self._read = 0

    # A connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request, for as long as there is room for its client."""
        super().connection_made(transport)
        most = self._most_connections
        if most is not None and len(self.connections) > most:
            self._tell(most)
            detail = "There are too many connections. Try again soon."
            self._answer_with(503, detail, {"Retry-After": str(RETRY_SECONDS)})
            self._enter("turned away")
        else:
            self._enter("idle")

    def connection_lost(self, exc: Exception | None) -> None:
        """Look at it no more."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what has come, and refuse a head, or a body's trailers, without end."""
        self._read = len(data)
        self._is_barren = True
        super().data_received(data)
        self._barren = self._barren + len(data) if self._is_barren else 0
        if self._barren > HEAD_BYTES:
            self._refuse(431, TOO_LONG)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse what is no HTTP."""
        self._refuse(400, "This is no request of HTTP.")

    # A request

    def on_message_begin(self) -> None:
        """Its first byte has come."""
        super().on_message_begin()
        self._enter("head")

    def on_headers_complete(self) -> None:
        """Its head has come; one that is too long is answered for in its turn."""
        self._is_barren = False
        if self._barren + self._read > HEAD_BYTES and self._head_bytes() > HEAD_BYTES:
            self._answer_with(431, TOO_LONG)
        super().on_headers_complete()
        self._enter("body")
        if len(self.pipeline) > PIPELINED:  # whoever sends so many reads no answers
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        """A piece of its body has come."""
        self._is_barren = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it has come."""
        self._is_barren = False
        super().on_message_complete()
        self._enter("idle")

    def on_response_complete(self) -> None:
        """It is answered; meanwhile its client had to wait, and not the other way round."""
        super().on_response_complete()
        self._enter(self._phase)

    # Time

    def _enter(self, phase: Phase) -> None:
        """Give the client the time for this phase, from now on."""
        if self._phase != "turned away":
            self._phase = phase
        self._deadline = self.loop.time() + SECONDS[self._phase]
        if self._timer is None or self._timer.when() > self._deadline:
            self._look_at(self._deadline)

    def _look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._look)

    def _look(self) -> None:
        """End the connection if its client is late."""
        now = self.loop.time()
        if self._is_awaited():
            self._deadline = now + SECONDS[self._phase]
        elif now >= self._deadline:
            self._end()
            return
        self._look_at(self._deadline)

    def _is_awaited(self) -> bool:
        """Whether it is the client that waits, for an answer to a whole request."""
        if self.pipeline:
            return True
        is_whole = self._phase != "body"
        return is_whole and self.cycle is not None and not self.cycle.response_complete

    def _end(self) -> None:
        if self._phase in ("head", "body"):
            seconds = f"{SECONDS[self._phase]:g} seconds"
            self._refuse(408, f"The request has not come within {seconds}: send it faster.")
        else:
            self.transport.close()

    # Refusals

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _answer_with(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        """Answer the next request with this refusal, and end the connection."""
        refusal = problem(status, detail, headers={**(headers or {}), "Connection": "close"})
        self.app = cast(Any, refusal)  # an application, as any response of Starlette's

    def _refuse(self, status: int, detail: str) -> None:
        """End the connection, at once; with this answer, unless another is under way."""
        if self.transport.is_closing():
            return
        is_in_body = self._phase == "body"  # which may be answered already
        if not self._is_awaited() and not (is_in_body and self.cycle.response_started):
            refusal = problem(status, detail, headers={"Connection": "close"})
            lines = [*self.server_state.default_headers, *refusal.raw_headers]
            head = b"".join(b"%b: %b\r\n" % line for line in lines)
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(refusal.body))
        self.transport.close()

    def _tell(self, most: int) -> None:
        now = self.loop.time()
        if now > BoundedProtocol.said_at + SILENT_SECONDS:
            BoundedProtocol.said_at = now
            log.warning(
                "too many connections: others are refused; raise the limit of open files",
                most=most,
            )


TOO_LONG = f"The head has more than {HEAD_BYTES} bytes: send fewer or shorter headers."
