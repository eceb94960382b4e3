"""One contestant in a process of its own, asked for one round at a time: JSON lines in and out.

    {"shape": "chain", "size": 100, "runs": 10}  ->  {"seconds": 0.05}

This runs in the contestant's environment: the standard library and its package only.
"""

import asyncio
import gc
import json
import os
import sys
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

from tests.benchmarks.cells import Cell
from tests.benchmarks.contestants import CONTESTANTS, Contestant, floor, language

Run = Callable[[], Awaitable[Any]]


def runs_of(contestant: Contestant, cell: Cell) -> Run:
    """What starts one run of the cell; awaited, it gives the result."""
    if not contestant.modules:
        run: Run = getattr(floor, cell.shape)(cell.size)
    else:
        spoken = language.language_of(*contestant.modules)
        run = getattr(language, cell.shape)(spoken, cell.size)
    return run


async def seconds(run: Run, cell: Cell, runs: int) -> float:
    """How long it takes to make as many runs, one after another.

    Raises:
        ValueError: one came to something else than it must.
    """
    gc.collect()  # nobody pays for what was left behind before
    began = perf_counter()
    for _ in range(runs):
        result = await run()
        if result != cell.result:
            raise ValueError(f"a {cell} came to {result!r} instead of {cell.result}")
    return perf_counter() - began


def main(name: str) -> None:
    """Answer until there is nothing more to answer.

    The first question about a cell has its workflow made; that and the round are its warm-up.
    """
    contestant = next(c for c in CONTESTANTS if c.name == name)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a package prints is no reply
    prepared: tuple[Cell, Run] | None = None
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            question = json.loads(line)
            cell = Cell(question["shape"], question["size"])
            reply: dict[str, Any]
            try:
                if prepared is None or prepared[0] != cell:
                    prepared = cell, runs_of(contestant, cell)
                reply = {"seconds": runner.run(seconds(prepared[1], cell, question["runs"]))}
            except Exception as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
