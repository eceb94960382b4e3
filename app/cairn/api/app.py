"""The ASGI application: the endpoints, the schema and the middleware."""

from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from cairn import __version__
from cairn.api import (
    checkpoints,
    comparisons,
    contexts,
    documentation,
    health,
    openapi,
    problems,
    reruns,
    run_lists,
    runs,
    streams,
    waiting,
    workflows,
)
from cairn.api.guard import Guard
from cairn.api.limits import BodyLimit

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

EXPOSED = ("Allow", "ETag", "Location", "Preference-Applied", "Retry-After")  # to scripts, by CORS

ROOMS = (
    runs,
    run_lists,
    streams,
    waiting,
    checkpoints,
    comparisons,
    reruns,
    contexts,
    workflows,
    health,
)

DESCRIPTION = """
Hosts event-driven workflows, leaves a checkpoint at every completed step, and re-runs a workflow
from any of them. Every refusal is `application/problem+json` and says what to do.
"""


def application(
    lifespan: Lifespan,
    max_body_bytes: int,
    max_body_values: int,
    hosts: Collection[str] | None = None,
    origins: Collection[str] = (),
) -> FastAPI:
    """The ASGI application.

    Args:
        lifespan: sets `app.state.service`, and ends the service at the end of the application.
        max_body_bytes: as in `BodyLimit`.
        max_body_values: as in `bodies.parse`.
        hosts: as in `Guard`.
        origins: as in `Guard`; CORS lets scripts of these origins read the answers.
    """
    app = FastAPI(
        title="Cairn",
        version=__version__,
        description=DESCRIPTION.strip(),
        lifespan=lifespan,
        # One flat list: routing would search included routers one after another.
        routes=[
            *(route for room in ROOMS for route in room.router.routes),
            *documentation.ROUTES,
        ],
        docs_url=None,  # the framework's pages load scripts from other hosts
        redoc_url=None,
    )
    app.state.max_body_values = max_body_values
    problems.install(app)
    # The middleware added last is the outermost.
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    app.add_middleware(Guard, hosts=hosts, origins=origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=EXPOSED,
        )
    app.openapi = lambda: openapi.schema(app)  # type: ignore[method-assign]  # as FastAPI documents it
    return app
