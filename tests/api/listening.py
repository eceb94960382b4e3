"""The service at a real port of this process, and clients that speak HTTP as badly as they like."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp

from cairn.api.protocol import BoundedProtocol
from cairn.main import create_app
from cairn.settings import Settings
from tests.api.asking import WORKFLOWS
from tests.api.gates import BOUND


@dataclass
class Line:
    """A connection: bytes out, answers in."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, data: bytes) -> None:
        """Send these bytes, and do not wait."""
        self.writer.write(data)

    async def answer(self) -> httpx.Response:
        """The next answer."""
        async with asyncio.timeout(BOUND):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status, *lines = head.strip().split("\r\n")
            headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
            size = int(dict(headers).get("content-length", 0))
            body = await self.reader.readexactly(size)
        return httpx.Response(int(status.split()[1]), headers=headers, content=body)

    async def ended(self) -> bytes:
        """What comes until the service ends the connection."""
        async with asyncio.timeout(BOUND):
            try:
                return await self.reader.read()
            except ConnectionResetError:
                return b""


@dataclass(frozen=True)
class Port:
    """Where the service listens."""

    number: int
    server: uvicorn.Server

    @asynccontextmanager
    async def line(self, data: bytes = b"") -> AsyncIterator[Line]:
        """A connection, over which these bytes are sent at first."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number)
        try:
            writer.write(data)
            yield Line(reader, writer)
        finally:
            writer.transport.abort()

    async def until(self, true: Callable[[], object]) -> None:
        """Look again and again until it is true."""
        async with asyncio.timeout(BOUND):
            while not true():  # noqa: ASYNC110
                await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(
    database_url: str,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    connections: int | None = None,
    **settings: Any,
) -> AsyncIterator[Port]:
    """The service, at a port of its own.

    Args:
        around: what comes before the application.
        connections: how many are answered at once.
    """
    app = create_app(Settings(database_url=database_url, workflows=WORKFLOWS, **settings))
    config = uvicorn.Config(
        around(app),
        http=BoundedProtocol,
        limit_concurrency=connections,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with app.router.lifespan_context(app):
            serving: Awaitable[None] = asyncio.create_task(server.serve([listener]))
            port = Port(listener.getsockname()[1], server)
            await port.until(lambda: server.started)
            try:
                yield port
            finally:
                server.should_exit = True
                await serving
