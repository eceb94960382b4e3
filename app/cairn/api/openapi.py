"""The OpenAPI schema: what FastAPI makes of the endpoints, and what it cannot be told of them."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from cairn.api.examples import ANSWERS
from cairn.api.problem_types import MEDIA_TYPE

TAGS = [
    {
        "name": "runs",
        "description": "Passages through a workflow: start, find, tell, cancel.",
    },
    {"name": "checkpoints", "description": "What each step of a run has left; reruns begin there."},
    {"name": "contexts", "description": "State that runs share."},
    {"name": "workflows", "description": "What can be run: events, steps and the graph."},
    {"name": "health", "description": "For whoever keeps the service running."},
]
ABOUT: dict[str, Any] = {
    "servers": [{"url": "/", "description": "The service that this schema came from."}],
    "license_info": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    "contact": {"name": "Cairn"},
}


def schema(app: FastAPI) -> dict[str, Any]:
    """The schema of the application, made once."""
    if app.openapi_schema is None:
        for route in app.routes:
            if isinstance(route, APIRoute):
                route.operation_id = route.name  # what generated clients call it
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
            tags=TAGS,
            **ABOUT,
        )
        made["security"] = []  # there is no authentication: a proxy adds its own
        for path in made["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    _complete(response, operation["operationId"], status)
        app.openapi_schema = made
    return app.openapi_schema


def _complete(response: dict[str, Any], operation: str, status: str) -> None:
    """Put problems under their own media type, which FastAPI cannot be told; and an example to
    every other answer."""
    content = response.get("content", {})
    if status >= "400":
        content[MEDIA_TYPE] |= content.pop("application/json")
    elif content:
        content["application/json"]["example"] = ANSWERS[operation, int(status)]
