"""A limit to what a request may bring."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.problems import problem


class BodyLimit:
    """Refuses a body of more bytes than the limit, however it is sent, before anybody reads it."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with its body, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        messages: list[Message] = []
        announced, received, more = _announced(scope), 0, True
        while more and max(announced, received) <= self._max_bytes:
            messages.append(await receive())
            received += len(messages[-1].get("body", b""))
            more = messages[-1].get("more_body", False)
        if max(announced, received) > self._max_bytes:
            detail = f"The body has more than {self._max_bytes} bytes: send less."
            await problem(413, detail)(scope, receive, send)
            return
        messages.reverse()

        async def again() -> Message:
            return messages.pop() if messages else await receive()

        await self._app(scope, again, send)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
