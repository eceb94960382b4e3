"""The real service as a real process: started, killed, and started again on the same database."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from uuid import UUID

import httpx

from tests.crash import records
from tests.crash.nursery import Born, Nursery
from tests.crash.trace import Delivery, Trace

CAIRN = Path(sys.executable).with_name("cairn")
WORKFLOWS = Path(__file__).with_name("workflows")

BOUND = 30.0
"""Seconds that a test waits for what it is sure to come."""

SOON = 0.02
"""Seconds between two looks."""


async def until(true: Callable[[], bool], what: str, bound: float = BOUND) -> None:
    """Look again and again until it is true; fail after `bound` seconds."""
    end = time.monotonic() + bound
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {bound:g} s: {what}")
        await asyncio.sleep(SOON)


class Service:
    """One service, through all its lives: the processes that serve one database, in turn.

    Attributes:
        home: the folder for all of it but the database.
        url: where it listens, in every life.
        trace: the marks that its workflows leave.
        pids: the process of each life.
        ready_at: when each life was seen to be ready, in monotonic seconds; `None` if never.
    """

    def __init__(
        self, home: Path, database_url: str, nursery: Nursery, settings: Mapping[str, str]
    ) -> None:
        home.mkdir(exist_ok=True)
        self.home = home
        self.database_url = database_url
        self.trace = Trace(home / "trace")
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.pids: list[int] = []
        self.ready_at: list[float | None] = []
        self._settings = dict(settings)
        self._nursery = nursery
        self._begun_at = time.time()
        self._output = home / f"output-{self.port}"
        self._process: subprocess.Popen[bytes] | Born | None = None

    # Its lives

    def spawn(self, anew: bool = False) -> None:
        """Begin a life, and do not wait for anything.

        Args:
            anew: as from a shell; otherwise all that is to be imported has been imported.
        """
        assert not self.is_alive, "it has not ended yet"
        where = ["--port", str(self.port), "--database-url", self.database_url]
        arguments = ["serve", *where, "--workflows", str(WORKFLOWS)]
        environment = os.environ | self._settings | {"CRASH_TRACE": str(self.trace.path)}
        with self._output.open("ab") as output:
            output.write(f"--- life {len(self.pids)}\n".encode())
            output.flush()
            self._begun_at = time.time()
            if anew:
                self._process = subprocess.Popen(
                    [CAIRN, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    cwd=self.home,
                )
            else:
                self._process = self._nursery.bear(arguments, environment, self.home, self._output)
        self.pids.append(self._process.pid)
        self.ready_at.append(None)

    async def start(self, anew: bool = False) -> None:
        """Begin a life, and wait until it is ready."""
        self.spawn(anew)
        await self.ready()

    async def ready(self) -> None:
        """Wait until it is ready."""
        end = time.monotonic() + BOUND
        async with httpx.AsyncClient(base_url=self.url, timeout=5.0) as client:
            while not await _is_ready(client):
                assert self.is_alive, f"it ended with {self.exit_code} before it was ready"
                assert time.monotonic() < end, f"not ready within {BOUND:g} s"
                await asyncio.sleep(SOON)
        self.ready_at[-1] = time.monotonic()

    @property
    def is_alive(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How its last life ended."""
        return None if self._process is None else self._process.poll()

    @property
    def life(self) -> int:
        """The number of its newest life."""
        return len(self.pids) - 1

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def pause(self) -> float:
        """Hold it still, in the middle of whatever it does; the moment."""
        self.tell(signal.SIGSTOP)
        return time.monotonic()

    def go_on(self) -> float:
        """Let it go on as if nothing had been; the moment."""
        self.tell(signal.SIGCONT)
        return time.monotonic()

    def kill(self) -> None:
        """End it at once, without a word."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(BOUND)

    async def ended(self, within: float) -> float:
        """Wait for its process to end by itself, that many seconds at most; how many it took."""
        since = time.monotonic()
        await until(lambda: not self.is_alive, "the process ends", within)
        return time.monotonic() - since

    @property
    def listens(self) -> bool:
        """Whether it takes new connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    async def reaches(self, delivery: Delivery, bound: float = BOUND) -> None:
        """Wait until the delivery's step has begun."""
        await until(lambda: self.trace.began(delivery) > 0, f"{delivery} begins", bound)

    # What it leaves

    def committed(self) -> set[UUID]:
        """The checkpoints that its last life has committed; it is dead."""
        assert not self.is_alive
        return records.checkpoints(self.database_url, since=self._begun_at - 1.0)

    @property
    def output(self) -> str:
        """All that it has said, in all its lives."""
        return self._output.read_text(errors="replace") if self._output.exists() else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.is_alive:
            self.kill()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port
