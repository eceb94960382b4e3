"""What the framework would let pass: queries that nobody reads, and JSON that is none."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from app.api.asking import Asked

UNKNOWN = "there is no such parameter"


class StrictRoute(APIRoute):
    """A route whose endpoint is given an `Asked`; FastAPI's way of having another class of request.

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
            return await handle(Asked(request.scope, request.receive))

        return strict
