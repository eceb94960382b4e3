"""HTTP on one connection, with limits to the bytes of a head and to the client's time."""

import asyncio
from typing import Any, Literal, cast

import structlog
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from cairn.api.problems import problem

log = structlog.get_logger(__name__)

HEAD_BYTES = 65_536
PIPELINED = 1_000  # requests in a row, sent before the answers
RETRY_SECONDS = 5
SILENT_SECONDS = 60.0  # between two lines in the log on too many connections

Phase = Literal["idle", "head", "body", "turned away"]
SECONDS: dict[Phase, float] = {
    "idle": 20.0,  # to the first byte of a request; between two, uvicorn's keep-alive ends sooner
    "head": 10.0,  # from there to the end of the head
    "body": 60.0,  # from there to the end of the body
    "turned away": 1.0,  # to the end of a head, where there are too many connections
}
"""The time that a client has in each phase."""


class BoundedProtocol(HttpToolsProtocol):
    """Uvicorn's protocol with limits: uvicorn reads a head of any length, and waits without end.

    The parser calls the `on_...` methods. A phase that begins moves the deadline; the timer stays,
    and is set anew when it fires before the deadline. A request costs no timer.
    """

    logged_at = float("-inf")  # the last line in the log on too many connections, of any instance

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
        self._unfinished = 0  # bytes of the head or the trailers under way
        self._is_unfinished = True
        self._read = 0

    # A connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request; with too many connections, refuse that request with 503."""
        super().connection_made(transport)
        most = self._most_connections
        if most is not None and len(self.connections) > most:
            self._log_too_many(most)
            detail = "There are too many connections. Try again soon."
            self._answer_with(503, detail, {"Retry-After": str(RETRY_SECONDS)})
            self._enter("turned away")
        else:
            self._enter("idle")

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer."""
        super().connection_lost(exc)
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse the data, and refuse a head or trailers of more than `HEAD_BYTES` with 431."""
        self._read = len(data)
        self._is_unfinished = True
        super().data_received(data)
        self._unfinished = self._unfinished + len(data) if self._is_unfinished else 0
        if self._unfinished > HEAD_BYTES:
            self._refuse(431, TOO_LONG)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse data that is not HTTP."""
        self._refuse(400, "This is no request of HTTP.")

    # A request

    def on_message_begin(self) -> None:
        """Begin the head."""
        super().on_message_begin()
        self._enter("head")

    def on_headers_complete(self) -> None:
        """Begin the body. Answer a head that is too long with 431, after earlier requests."""
        self._is_unfinished = False
        if self._unfinished + self._read > HEAD_BYTES and self._head_bytes() > HEAD_BYTES:
            self._answer_with(431, TOO_LONG)
        super().on_headers_complete()
        self._enter("body")
        if len(self.pipeline) > PIPELINED:  # such a client reads no answers
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body, of any length."""
        self._is_unfinished = False
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Begin the wait for the next request."""
        self._is_unfinished = False
        super().on_message_complete()
        self._enter("idle")

    def on_response_complete(self) -> None:
        """Begin the phase anew: the client has been waiting for the answer."""
        super().on_response_complete()
        self._enter(self._phase)

    # Time

    def _enter(self, phase: Phase) -> None:
        """Begin a phase, with all of its time; a connection turned away stays so."""
        if self._phase != "turned away":
            self._phase = phase
        self._deadline = self.loop.time() + SECONDS[self._phase]
        if self._timer is None or self._timer.when() > self._deadline:
            self._set_timer(self._deadline)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._check)

    def _check(self) -> None:
        """Close the connection if the client is late; otherwise set the timer anew."""
        now = self.loop.time()
        if self._is_client_waiting():
            self._deadline = now + SECONDS[self._phase]
        elif now >= self._deadline:
            self._time_out()
            return
        self._set_timer(self._deadline)

    def _is_client_waiting(self) -> bool:
        """True while the client waits for the answer to a complete request."""
        if self.pipeline:
            return True
        is_whole = self._phase != "body"
        return is_whole and self.cycle is not None and not self.cycle.response_complete

    def _time_out(self) -> None:
        if self._phase in ("head", "body"):
            seconds = f"{SECONDS[self._phase]:g} seconds"
            self._refuse(408, f"The request has not come within {seconds}: send it faster.")
        else:
            self.transport.close()

    # Refusals

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _answer_with(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        """Answer the next request with a refusal, and close the connection then."""
        refusal = problem(status, detail, headers={**(headers or {}), "Connection": "close"})
        self.app = cast(Any, refusal)  # a response of Starlette's is an ASGI application

    def _refuse(self, status: int, detail: str) -> None:
        """Close the connection at once, with this answer unless an answer is under way."""
        if self.transport.is_closing():
            return
        is_in_body = self._phase == "body"  # the answer to which may have begun
        if not self._is_client_waiting() and not (is_in_body and self.cycle.response_started):
            refusal = problem(status, detail, headers={"Connection": "close"})
            lines = [*self.server_state.default_headers, *refusal.raw_headers]
            head = b"".join(b"%b: %b\r\n" % line for line in lines)
            self.transport.write(STATUS_LINE[status] + head + b"\r\n" + bytes(refusal.body))
        self.transport.close()

    def _log_too_many(self, most: int) -> None:
        now = self.loop.time()
        if now > BoundedProtocol.logged_at + SILENT_SECONDS:
            BoundedProtocol.logged_at = now
            log.warning(
                "too many connections: others are refused; raise the limit of open files",
                most=most,
            )


TOO_LONG = f"The head has more than {HEAD_BYTES} bytes: send fewer or shorter headers."
