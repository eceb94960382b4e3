"""JSON as RFC 8259 has it: Python's own reader also takes NaN and Infinity."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class StrictRequest(Request):
    """A request whose body must be JSON to the letter."""

    async def json(self) -> Any:
        """The body; json.JSONDecodeError if it is not JSON."""
        text = await self.body()

        def refuse(constant: str) -> None:
            raise json.JSONDecodeError(f"{constant} is no JSON number", constant, 0)

        return json.loads(text, parse_constant=refuse)


class StrictRoute(APIRoute):
    """A route whose requests are strict; FastAPI's way of having another class of request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler."""
        handle = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return strict
