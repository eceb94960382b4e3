"""The application: all the endpoints, their schema, and what goes around them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from app import __version__
from app.api import checkpoints, contexts, health, openapi, problems, runs, workflows
from app.api.limits import BodyLimit

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

ROOMS = (runs, checkpoints, contexts, workflows, health)

DESCRIPTION = """
Hosts event-driven workflows, leaves a checkpoint at every completed step, and re-runs a workflow
from any of them. Every refusal is `application/problem+json` and says what to do.
"""


def application(lifespan: Lifespan, max_body_bytes: int, max_body_values: int) -> FastAPI:
    """The ASGI application; its service is put into `app.state.service` by the lifespan."""
    app = FastAPI(
        title="Cairn",
        version=__version__,
        description=DESCRIPTION.strip(),
        lifespan=lifespan,
        # Side by side: a request is looked up in one list, not in one after another.
        routes=[route for room in ROOMS for route in room.router.routes],
    )
    app.state.max_body_values = max_body_values
    problems.install(app)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    app.openapi = lambda: openapi.schema(app)  # type: ignore[method-assign]  # as FastAPI documents it
    return app
