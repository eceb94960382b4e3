"""Servers as processes: each contestant's, on a free port, until it is stopped."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.durable.contestants import OURS
from tests.benchmarks.processes import ROOT, LeftOut

WORKFLOWS = Path("tests/benchmarks/durable/workflows")
BOUND = 60.0
"""Seconds that a server may take to start, or to end once it is told to."""

RUNS = "/runs"
AGENTS = "/workflows/counting/run"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that listens.

    Attributes:
        name: the contestant's.
        port: where it listens, on 127.0.0.1.
        process: what serves.
    """

    name: str
    port: int
    process: "subprocess.Popen[bytes]"

    def two_steps(self) -> dict[str, object]:
        """How to ask it for a run of two steps, answered when it has come to its end."""
        if self.name == OURS.name:
            body = '{"workflow": "counting", "start_event": {"steps": 2}}'
            return {"path": RUNS, "headers": {"Prefer": "wait=60"}, "bodies": [body]}
        if self.name == "llama-agents-server":
            return {"path": AGENTS, "bodies": ['{"start_event": {"steps": 2}}']}
        return {"path": RUNS, "bodies": ['{"steps": 2}']}

    def memory(self) -> int:
        """The bytes of memory that it has resident."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def serving(
    name: str, python: Path | None, url: str, root: Path = ROOT
) -> AsyncIterator[Server]:
    """A contestant's server, on this database, from this checkout.

    Raises:
        LeftOut: it does not start.
    """
    if python is None:
        raise LeftOut("could not be installed")
    port = _free_port()
    process = _started(_command(name, python, url, port), root)
    try:
        await _ready(process, port)
        yield Server(name, port, process)
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, BOUND)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _started(command: list[str], root: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore"},
        cwd=root,
    )


def _command(name: str, python: Path, url: str, port: int) -> list[str]:
    if name == OURS.name:
        where = ["--port", str(port), "--database-url", url]
        return [str(python.with_name("cairn")), "serve", *where, "--workflows", str(WORKFLOWS)]
    return [str(python), "-m", "tests.benchmarks.durable.serving", name, url, str(port)]


async def _ready(process: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + BOUND
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise LeftOut(f"its server has ended with {process.returncode}")
        if time.monotonic() > end:
            raise LeftOut(f"its server has not started within {BOUND:g} s")
        await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
