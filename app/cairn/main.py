"""The one place where the parts are put together."""

import asyncio
import gc
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import FrameType
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI

from cairn import catalog, logs
from cairn.api.app import application
from cairn.api.descriptors import most_connections
from cairn.api.protocol import BoundedProtocol
from cairn.api.understudy import Understudy
from cairn.catalog import Catalog
from cairn.engine.runtime.limits import Limits
from cairn.errors import Unavailable
from cairn.executor import upkeep
from cairn.executor.notifier import Notifier
from cairn.executor.poller import Poller
from cairn.executor.pulse import Pulse
from cairn.executor.upkeep import Upkeep
from cairn.executor.worker import Worker
from cairn.service import Service
from cairn.settings import Settings
from cairn.store import pruning
from cairn.store.database import Database
from cairn.store.pruning import Retention
from cairn.store.schema import Schema

LAST_ANSWERS_SECONDS = 5  # for requests under way when the service is told to stop
COLLECTOR = (20_000, 20, 20)  # new objects before a collection, and collections before a larger one
LAST_SECONDS = 2.0  # from the end of the service to that of its process

log = structlog.get_logger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application.

    Raises:
        ValueError: a setting names something that is not there.
    """
    settings = settings or Settings()
    loaded = catalog.load(settings.workflows, settings.load_seconds)
    pulse = Pulse(settings.stuck_seconds)
    database = _opened(settings, pulse)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _driving(settings, database, loaded, pulse) as (service, stop):
            app.state.service = service
            # For a signal's handler, which can interrupt anything.
            app.state.stop = partial(asyncio.get_running_loop().call_soon_threadsafe, stop)
            yield

    app = application(
        lifespan,
        settings.max_body_bytes,
        settings.max_body_values,
        settings.hosts,
        settings.cors_origins,
    )
    app.state.pulse = pulse
    return app


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Service]:
    """The service in this process, driving runs, without HTTP.

    Raises:
        ValueError: a setting names something that is not there.
    """
    loaded = catalog.load(settings.workflows, settings.load_seconds)
    _spare_the_collector()
    pulse = Pulse(settings.stuck_seconds)
    async with _driving(settings, _opened(settings, pulse), loaded, pulse) as (service, _):
        yield service


async def prune(settings: Settings, *, dry_run: bool) -> str:
    """Delete the runs that are not to be kept.

    Args:
        dry_run: only look.

    Returns:
        What has gone, or would go, for people.

    Raises:
        ValueError: nothing says what is to be kept, or the database cannot be used.
    """
    retention = _retention(settings)
    if not retention.is_limited:
        raise ValueError(
            "Nothing says what is to be kept. Give --days or --runs, or set CAIRN_RETAIN_DAYS or "
            "CAIRN_RETAIN_RUNS."
        )
    complaint = Schema(settings.database_url).complaint()
    if complaint is not None:
        raise ValueError(complaint)
    database = Database(settings.database_url, settings.database_wait_seconds)
    database.open(as_worker=False)
    try:
        if dry_run:
            going = await database.read(pruning.counted, retention)
            return f"Would delete {going}."
        return f"Deleted {await upkeep.prune(database, retention)}."
    except Unavailable as refusal:
        raise ValueError(str(refusal)) from refusal
    finally:
        database.close()


def _spare_the_collector() -> None:
    """What is there by now stays until the process ends: the garbage collector need not look
    through it again and again, which is a third of what a step costs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTOR)


def _retention(settings: Settings) -> Retention:
    return Retention(settings.retain_days, settings.retain_runs, settings.retain_statuses)


def _opened(settings: Settings, pulse: Pulse) -> Database:
    database = Database(
        settings.database_url,
        settings.database_wait_seconds,
        settings.lease_seconds,
        lambda: pulse.is_stuck,
    )
    database.open()
    return database


@asynccontextmanager
async def _driving(
    settings: Settings, database: Database, loaded: Catalog, pulse: Pulse
) -> AsyncIterator[tuple[Service, Callable[[], None]]]:
    """The service, and what stops it from starting anything more."""
    notifier = Notifier(settings.max_waiters)
    worker = Worker(
        database,
        loaded.workflows,
        notifier,
        settings.max_active_runs,
        settings.max_recoveries,
        Limits(settings.max_steps, settings.max_pending, settings.max_seconds),
    )
    poller = Poller(database, worker, notifier, settings.lease_seconds)
    upkeep = Upkeep(database, _retention(settings), settings.prune_every_seconds)

    def stop() -> None:
        poller.stop()
        upkeep.stop()
        worker.stop()

    pulse.start(worker.who_is)
    await poller.start()
    upkeep.start()
    log.info("ready", workflows=sorted(loaded.workflows), database=database.shown_url)
    try:
        yield Service(database, loaded, worker, notifier), stop
    finally:
        stop()
        await worker.drain(settings.drain_seconds)
        pulse.stop()
        database.close()


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
        _spare_the_collector()
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            limit_concurrency=most_connections(),
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=LAST_ANSWERS_SECONDS,
        )
        pulse: Pulse = app.state.pulse
        understudy = Understudy(listening, lambda: pulse.stands_still, settings.stuck_seconds)
        server = _Server(config, app, understudy)
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

    return application(nothing, max_body_bytes=0, max_body_values=0).openapi()


class _Server(uvicorn.Server):
    """Uvicorn takes the application down once the last request is answered. Until then no step
    must be started, and nobody who waits for a run must hold that up."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, understudy: Understudy) -> None:
        super().__init__(config)
        self._app = app
        self._understudy = understudy
        self._adopted: set[asyncio.Task[object]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        self._understudy.start(self._adopt)

    def _adopt(self, connection: socket.socket) -> None:
        """Serve a connection that was taken while the loop stood still."""
        protocol: Any = self.config.http_protocol_class

        def make() -> asyncio.Protocol:
            made: asyncio.Protocol = protocol(
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(make, connection))
        self._adopted.add(task)
        task.add_done_callback(self._adopted.discard)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """The process was told to end. Told twice, it ends at once: what it has accepted is
        committed, and goes on at the next start."""
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        stop: Callable[[], object] | None = getattr(self._app.state, "stop", None)
        if stop is not None:  # the service has started
            stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is being asked, drain, and leave behind what does not end by itself."""
        self._understudy.stop()
        await super().shutdown(sockets)
        threading.Thread(target=_end_in_time, daemon=True).start()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # the end of the event loop would cancel them in part, and have them go on
            await asyncio.wait(others)


def _end_in_time() -> None:
    """End the process, should it still wait for tasks that do not let themselves be cancelled, or
    for threads that are no daemons: those of steps, and of libraries."""
    time.sleep(LAST_SECONDS)
    threads = [each.name for each in threading.enumerate() if not each.daemon]
    log.warning("left behind: what cannot be interrupted is still pending", threads=threads)
    logging.shutdown()
    os._exit(0)
