"""What the framework would let pass: queries that nobody reads, and JSON that is none."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

UNKNOWN = "there is no such parameter"


def _refuse(constant: str) -> None:
    raise json.JSONDecodeError(f"{constant} is no JSON number", constant, 0)


STRICTLY = json.JSONDecoder(parse_constant=_refuse)


class StrictRequest(Request):
    """A request whose body must be JSON as RFC 8259 has it: Python's own reader also takes NaN and
    Infinity."""

    async def json(self) -> Any:
        """The body; json.JSONDecodeError if it is not JSON."""
        body = await self.body()
        return STRICTLY.decode(body.decode(json.detect_encoding(body), "surrogatepass"))


class StrictRoute(APIRoute):
    """A route whose requests are strict; FastAPI's way of having another class of request.

    Where no parameter of a query is known, any is refused, never ignored.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler."""
        handle = super().get_route_handler()
        takes_query = bool(self.dependant.query_params)

        async def strict(request: Request) -> Response:
            if not takes_query and request.scope["query_string"] and request.query_params:
                raise RequestValidationError(
                    [
                        {"type": "extra_forbidden", "loc": ("query", name), "msg": UNKNOWN}
                        for name in request.query_params
                    ]
                )
            return await handle(StrictRequest(request.scope, request.receive))

        return strict
