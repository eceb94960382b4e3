"""One contestant in a process of its own, asked for one round at a time: JSON lines in and out.

    {"do": "open", "url": "sqlite:///..."}                          ->  {}
    {"do": "run", "steps": 20, "runs": 16, "size": 1000, "touched": false}  ->  {"seconds": 0.05}
    {"do": "make", "steps": 1000}   ->  {}
    {"do": "rerun", "steps": 1000}  ->  {"seconds": 0.004}

This runs in the contestant's environment: the standard library and its packages only. All have
uvloop: it is what they serve with.
"""

import asyncio
import gc
import json
import os
import sys
from contextlib import AsyncExitStack
from importlib import import_module
from time import perf_counter
from typing import Any

import uvloop

from tests.benchmarks.durable.contestants import CONTESTANTS, Rerun
from tests.benchmarks.durable.load import Load


class Answering:
    """What a process has opened, and what it says."""

    def __init__(self, name: str) -> None:
        module = next(c.module for c in CONTESTANTS if c.name == name)
        self._module = import_module(f"tests.benchmarks.durable.contestants.{module}")
        self._stack = AsyncExitStack()
        self._opened: Any = None
        self._reruns: dict[int, Rerun] = {}

    async def answer(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do as asked."""
        match question.pop("do"):
            case "open":
                opening = self._module.opened(question["url"])
                self._opened = await self._stack.enter_async_context(opening)
                self._reruns.clear()
                return {}
            case "close":
                await self._stack.aclose()
                return {}
            case "run":
                return {"seconds": await self._seconds(Load(**question))}
            case "make":
                await self._make(Load(**question))
                return {}
            case "rerun":
                return {"seconds": await self._rerun(question["steps"])}
            case unknown:
                raise ValueError(f"cannot {unknown}")

    async def _seconds(self, load: Load) -> float:
        gc.collect()  # nobody pays for what was left behind before
        began = perf_counter()
        results = await asyncio.gather(*(self._opened.run(load) for _ in range(load.runs)))
        seconds = perf_counter() - began
        if set(results) != {load.steps}:
            raise ValueError(f"{load} came to {results[:3]!r} instead of {load.steps}")
        return seconds

    async def _make(self, load: Load) -> None:
        if self._opened.rerun_of is None:
            raise ValueError("it cannot rerun from a checkpoint")
        self._reruns[load.steps] = await self._opened.rerun_of(load)

    async def _rerun(self, steps: int) -> float:
        gc.collect()
        began = perf_counter()
        if (result := await self._reruns[steps]()) != steps:
            raise ValueError(f"a rerun came to {result!r} instead of {steps}")
        return perf_counter() - began


def main(name: str) -> None:
    """Answer until there is nothing more to answer."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a package prints is no reply
    answering = Answering(name)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for line in sys.stdin:
            try:
                reply = runner.run(answering.answer(json.loads(line)))
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
            print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
