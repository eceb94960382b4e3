"""What the framework would let pass: queries that nobody reads, and filters given twice."""

from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from cairn.api.requests import ApiRequest

UNKNOWN = "there is no such parameter"
REPEATED = "it is given more than once, and takes one value: give it once"


class StrictRoute(APIRoute):
    """A route whose endpoint is given an `ApiRequest`: FastAPI's way of having another class of
    request.

    Where no parameter of a query is known, any is refused, never ignored; and one that is given
    twice is refused, where the framework would take the last.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler."""
        handle = super().get_route_handler()
        takes_query = bool(self.dependant.query_params)

        async def strict(request: Request) -> Response:
            if request.scope["query_string"] and (wrong := [*_wrong(request, takes_query)]):
                raise RequestValidationError(wrong)
            return await handle(ApiRequest(request.scope, request.receive))

        return strict


def _wrong(request: Request, takes_query: bool) -> Iterator[dict[str, Any]]:
    """What is wrong with the query, as the framework would say it."""
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if not takes_query:
            yield {"type": "extra_forbidden", "loc": ("query", name), "msg": UNKNOWN}
        elif times > 1:
            yield {"type": "repeated", "loc": ("query", name), "msg": REPEATED}
