"""DBOS: a function, in a thread, that calls a step as many times."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial

from dbos import DBOS, DBOSConfig, SetWorkflowID

from tests.benchmarks.durable.contestants import Opened, Rerun
from tests.benchmarks.durable.load import Load

THREADS = 4  # more are slower


@DBOS.step()
def count(number: int, steps: int, size: int, touched: bool) -> tuple[int, str | None]:
    """Count one further."""
    return number + 1, Load(steps, 1, size, touched).value(number)


@DBOS.workflow()
def counting(steps: int, size: int, touched: bool) -> int:
    """Count to `steps`."""
    number = 0
    while number < steps:
        number, _ = count(number, steps, size, touched)
    return number


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    """Begin, on an empty database.

    In threads: with `async` functions and steps it takes half as long again.
    """
    if url.startswith("sqlite"):
        # It does not ask for a write-ahead log itself, but keeps the one that the file has.
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
    else:
        url = url.replace("postgresql://", "postgresql+psycopg://")
    DBOS(config=DBOSConfig(name="bench", system_database_url=url, log_level="ERROR"))
    DBOS.launch()

    async def run(load: Load) -> int:
        call = partial(counting, **load.fields())
        return await asyncio.get_running_loop().run_in_executor(threads, call)

    async def rerun_of(load: Load) -> Rerun:
        def prepare() -> str:
            id_ = f"origin-{load.steps}"
            with SetWorkflowID(id_):
                counting(**load.fields())
            return id_

        def fork() -> int:
            forked: int = DBOS.fork_workflow(id_, load.steps).get_result()
            return forked

        id_ = await asyncio.get_running_loop().run_in_executor(threads, prepare)

        async def rerun() -> int:
            return await asyncio.get_running_loop().run_in_executor(threads, fork)

        return rerun

    with ThreadPoolExecutor(THREADS) as threads:
        try:
            yield Opened(run, rerun_of)
        finally:
            DBOS.destroy()
