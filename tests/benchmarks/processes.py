"""Asking the contestants, each in its process, within a limit of time."""

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE, Process
from pathlib import Path
from typing import Any

from tests.benchmarks.cells import Cell

ROOT = Path(__file__).parents[2]
LONGEST_ANSWER = 2**24  # bytes


class LeftOut(Exception):
    """A contestant has no time to show; the message says why."""


class Worker:
    """A contestant's process. It lives from question to question, and is started anew if need be.

    Args:
        name: who is asked.
        python: the interpreter of its environment; `None` if there is none.
        module: what answers there, given the name.
        quiet: whether to drop what its packages print; what it answers is told in any case.
        root: the checkout that the module is in.
        contestant: the contestant's name in that checkout, if it is not `name`.
    """

    def __init__(
        self,
        name: str,
        python: Path | None,
        module: str = "tests.benchmarks.worker",
        quiet: bool = False,
        root: Path = ROOT,
        contestant: str | None = None,
    ) -> None:
        self.name = name
        self._root = root
        self._contestant = contestant or name
        self._python = python
        self._module = module
        self._stderr = DEVNULL if quiet else None
        self._process: Process | None = None

    async def seconds(self, cell: Cell, runs: int, limit: float) -> float:
        """How long it took for as many runs of the cell, in seconds.

        Args:
            limit: how many seconds it may take to answer.

        Raises:
            LeftOut: it did not answer in time, or not with a time.
        """
        question = {"shape": cell.shape, "size": cell.size, "runs": runs}
        return float((await self.ask(question, limit))["seconds"])

    async def ask(self, question: dict[str, Any], limit: float) -> dict[str, Any]:
        """What it answers.

        Args:
            limit: how many seconds it may take.

        Raises:
            LeftOut: it did not answer in time, or with an error.
        """
        process = self._process = self._process or await self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            async with asyncio.timeout(limit):
                line = await process.stdout.readline()
        except TimeoutError:
            await self.stop()
            raise LeftOut(f"takes more than {limit:g} s") from None
        if not line:
            await self.stop()
            raise LeftOut("its process has ended")
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            raise LeftOut(reply["error"])
        return reply

    async def stop(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _start(self) -> Process:
        if self._python is None:
            raise LeftOut("could not be installed")
        arguments = ["-W", "ignore", "-m", self._module, self._contestant]
        return await asyncio.create_subprocess_exec(
            self._python,
            *arguments,
            cwd=self._root,
            stdin=PIPE,
            stdout=PIPE,
            stderr=self._stderr,
            limit=LONGEST_ANSWER,
        )
