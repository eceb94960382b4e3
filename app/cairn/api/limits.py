"""Limits to the size of request bodies."""

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cairn.api.problems import problem

ROOM = 64_000_000  # bytes, for all bodies being received


class BodyLimit:
    """Refuses request bodies that are too large, before the application reads any part of one.

    A body over the limit is refused with 413, with or without a `Content-Length`. A body in several
    pieces is also refused, with 503, while all bodies being received exceed a common limit: `ROOM`,
    or the limit of one body if that is larger.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._room = max(ROOM, max_bytes)
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive the whole body and pass the request on, or answer with a refusal."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        whole = await self._whole(scope, receive)
        if isinstance(whole, Response):
            await whole(scope, receive, send)
        elif whole["type"] == "http.request":  # else the client has disconnected
            messages = [whole]

            async def again() -> Message:
                return messages.pop() if messages else await receive()

            await self._app(scope, again, send)

    async def _whole(self, scope: Scope, receive: Receive) -> Message | Response:
        """The body as one message, a refusal as a response, or the message of a disconnect."""
        body = bytearray()
        try:
            while max(_announced(scope), len(body)) <= self._max_bytes:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                piece = message.get("body", b"")
                body += piece
                self._held += len(piece)
                if len(body) <= self._max_bytes and not message.get("more_body", False):
                    return {"type": "http.request", "body": bytes(body), "more_body": False}
                if self._held > self._room:
                    detail = "There is no room for more large bodies at once. Try again soon."
                    return problem(503, detail, headers={"Retry-After": "5"})
            return problem(413, f"The body has more than {self._max_bytes} bytes: send less.")
        finally:
            self._held -= len(body)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
