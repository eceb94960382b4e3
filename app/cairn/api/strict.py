"""Strict query strings: no unknown parameter, and none given twice that takes one value."""

from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterator
from typing import Any, get_origin

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel

from cairn.api.requests import ApiRequest

UNKNOWN = "there is no such parameter"
REPEATED = "it is given more than once, and takes one value: give it once"


class StrictRoute(APIRoute):
    """A route that passes an `ApiRequest` to its endpoint, and refuses a doubtful query string.

    Without query parameters of its own, the endpoint would ignore any; of a parameter given twice,
    FastAPI would take the last. A subclass of `APIRoute` is FastAPI's way to a class of requests.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of the route's requests.

        Raises:
            RequestValidationError: by the handler, for a refused query string.
        """
        handle = super().get_route_handler()
        takes_query = bool(self.dependant.query_params)
        repeatable = _repeatable(self)

        async def strict(request: Request) -> Response:
            if request.scope["query_string"]:
                mistakes = [*_mistakes(request, takes_query, repeatable)]
                if mistakes:
                    raise RequestValidationError(mistakes)
            return await handle(ApiRequest(request.scope, request.receive))

        return strict


def _repeatable(route: APIRoute) -> Collection[str]:
    """The names of the query parameters that take several values."""
    models = [param.field_info.annotation for param in route.dependant.query_params]
    fields = [
        field
        for model in models
        if isinstance(model, type) and issubclass(model, BaseModel)
        for field in model.model_fields.items()
    ]
    return {name for name, field in fields if get_origin(field.annotation) is list}


def _mistakes(
    request: Request, takes_query: bool, repeatable: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield the mistakes of a query string, in the form of FastAPI's validation errors."""
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if not takes_query:
            yield {"type": "extra_forbidden", "loc": ("query", name), "msg": UNKNOWN}
        elif times > 1 and name not in repeatable:
            yield {"type": "repeated", "loc": ("query", name), "msg": REPEATED}
