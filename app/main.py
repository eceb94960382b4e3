"""The one place where the parts are put together."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from app import catalog, logs
from app.api.app import application
from app.executor.signal import Signal
from app.executor.worker import Worker
from app.service import Service
from app.settings import Settings
from app.store.database import Database

LAST_ANSWERS_SECONDS = 5  # for requests under way when the service is told to stop

log = structlog.get_logger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application; `uvicorn --factory app.main:create_app` runs it.

    Raises:
        ValueError: a setting names something that is not there.
    """
    settings = settings or Settings()
    loaded = catalog.load(settings.workflows)
    database = Database(settings.database_url)
    database.open()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        signal = Signal()
        worker = Worker(database, loaded.workflows, signal, settings.max_active_runs)
        app.state.service = Service(database, loaded, worker, signal)
        app.state.signal = signal
        await worker.recover()
        log.info("ready", workflows=sorted(loaded.workflows), database=database.shown_url)
        try:
            yield
        finally:
            await worker.drain(settings.drain_seconds)
            database.close()

    return application(lifespan, settings.max_body_bytes)


def serve(settings: Settings) -> int:
    """Serve until told to stop.

    Returns:
        The exit code.

    Raises:
        ValueError: a setting names something that is not there.
    """
    logs.configure(settings.log_level, settings.log_format)
    # First of all: a service that cannot be reached must not take up runs.
    with _listen(settings.host, settings.port) as listening:
        app = create_app(settings)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        )
        server = _Server(config, app)
        host, port = listening.getsockname()[:2]
        log.info("listening", url=f"http://{f'[{host}]' if ':' in host else host}:{port}")
        server.run(sockets=[listening])
    return 0 if server.started else 1


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise ValueError(f"Cairn cannot listen on {host}, port {port}: {error.strerror}.") from None


def schema() -> dict[str, Any]:
    """The OpenAPI schema, which depends on no setting and no workflow."""

    @asynccontextmanager
    async def nothing(_: FastAPI) -> AsyncIterator[None]:
        yield

    return application(nothing, max_body_bytes=0).openapi()


class _Server(uvicorn.Server):
    """Uvicorn takes the application down once the last request is answered. Whoever waits for a
    run to end would hold that up, and is answered at once instead."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is being asked, then drain."""
        self._app.state.signal.close()
        await super().shutdown(sockets)
