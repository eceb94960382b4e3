"""The composition root: the service and the command `prune`, put together from their parts."""

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
from cairn.executor.watcher import Watcher
from cairn.executor.worker import Worker
from cairn.service import Service
from cairn.service.streams import StreamRequests
from cairn.settings import Settings
from cairn.store import pruning
from cairn.store.database import Database
from cairn.store.pruning import Retention
from cairn.store.schema import Schema

LAST_ANSWERS_SECONDS = 5  # for open requests when a signal stops the service
COLLECTOR = (20_000, 20, 20)  # new objects to a collection, and collections to a larger one
LAST_SECONDS = 2.0  # from the end of the service to the end of the process

log = structlog.get_logger(__name__)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application.

    Args:
        settings: the settings; by default those of the environment.

    Raises:
        ValueError: the folder of workflows does not exist, or the database cannot be used.
    """
    settings = settings or Settings()
    loaded = catalog.load(settings.workflows, settings.load_seconds)
    pulse = Pulse(settings.stuck_seconds)
    database = _opened(settings, pulse)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _driving(settings, database, loaded, pulse) as (service, stop):
            app.state.service = service
            # For the signal handler, which can interrupt any code.
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
        ValueError: the folder of workflows does not exist, or the database cannot be used.
    """
    loaded = catalog.load(settings.workflows, settings.load_seconds)
    _spare_the_collector()
    pulse = Pulse(settings.stuck_seconds)
    async with _driving(settings, _opened(settings, pulse), loaded, pulse) as (service, _):
        yield service


async def prune(settings: Settings, *, dry_run: bool) -> str:
    """Delete the runs that the settings do not retain.

    Args:
        settings: the settings, with the retention.
        dry_run: count the runs, and delete none.

    Returns:
        A sentence for people: the numbers deleted, or to be deleted.

    Raises:
        ValueError: the settings retain every run, or the database cannot be used.
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
    """Exempt the present objects from garbage collection, and collect less often.

    Modules and workflows stay until the process ends. To traverse them again and again took a third
    of the time of a step.
    """
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
    """The service, and a function after whose call no step or run is started."""
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
        watcher = Watcher(database, worker, notifier)
        streams = StreamRequests(database, notifier, settings.heartbeat_seconds)
        yield Service(database, loaded, worker, watcher, streams), stop
    finally:
        stop()
        await worker.drain(settings.drain_seconds)
        pulse.stop()
        database.close()


def serve(settings: Settings) -> int:
    """Serve over HTTP until a signal stops the service.

    Returns:
        The exit code: 0, or 1 if the service did not start.

    Raises:
        ValueError: the folder of workflows does not exist, or the database or the address cannot be
            used.
    """
    logs.configure(settings.log_level, settings.log_format)
    # Listen first: a service without its address must not take up runs.
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
    """The OpenAPI schema, the same for all settings and workflows."""

    @asynccontextmanager
    async def no_service(_: FastAPI) -> AsyncIterator[None]:
        yield

    return application(no_service, max_body_bytes=0, max_body_values=0).openapi()


class _Server(uvicorn.Server):
    """Uvicorn's server, whose first signal stops runs as well as requests.

    Uvicorn shuts the application down only after the last response. From the first signal on, no
    step is started, and requests that wait for a run are answered.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, understudy: Understudy) -> None:
        super().__init__(config)
        self._app = app
        self._understudy = understudy
        self._adopted: set[asyncio.Task[object]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and start the understudy."""
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
        """Stop the service at the first signal, and end the process at the second.

        No accepted run is lost: runs are committed, and go on at the next start.
        """
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        stop: Callable[[], object] | None = getattr(self._app.state, "stop", None)
        if stop is not None:  # the service has started
            stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer open requests, drain the runs, and wait for the remaining tasks.

        The process ends `LAST_SECONDS` after the drain even if a task or a thread does not.
        """
        self._understudy.stop()
        await super().shutdown(sockets)
        threading.Thread(target=_end_in_time, daemon=True).start()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # the loop's own end would cancel tasks in part, and let some continue
            await asyncio.wait(others)


def _end_in_time() -> None:
    """End the process after `LAST_SECONDS`, whatever still runs.

    Tasks may refuse to be cancelled, and threads of steps or libraries may not be daemons.
    """
    time.sleep(LAST_SECONDS)
    threads = [each.name for each in threading.enumerate() if not each.daemon]
    log.warning("left behind: what cannot be interrupted is still pending", threads=threads)
    logging.shutdown()
    os._exit(0)
