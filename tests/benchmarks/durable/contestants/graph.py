"""LangGraph: a graph with one node, and a saver that has committed before the next step begins."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypedDict
from uuid import uuid4

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph

from tests.benchmarks.durable.contestants import Opened, Rerun
from tests.benchmarks.durable.load import Load

THREADS = 4  # more gain nothing
SMALL = 10_000  # characters


class State(TypedDict, total=False):
    """What the node reads and writes."""

    number: int
    steps: int
    size: int
    touched: bool
    value: str


def count(state: State) -> State:
    """Count one further."""
    number = state["number"]
    load = Load(state["steps"], 1, state["size"], state["touched"])
    big = load.value(number)
    return {"number": number + 1} if big is None else {"number": number + 1, "value": big}


def graph(saver: Any) -> Any:
    """The loop."""
    builder = StateGraph(State)
    builder.add_node("count", count)
    builder.add_edge(START, "count")
    builder.add_conditional_edges(
        "count", lambda state: END if state["number"] == state["steps"] else "count"
    )
    return builder.compile(checkpointer=saver)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    """Begin, on an empty database.

    On each database, the fastest of the ways there are: threads on SQLite (`aiosqlite` takes half
    as long again), and a connection in pipeline mode on PostgreSQL (against a plain one or a
    pool), but for large values, with which a pipeline comes to a stand.
    """
    if url.startswith("sqlite"):
        with (
            SqliteSaver.from_conn_string(url.removeprefix("sqlite:///")) as saver,
            ThreadPoolExecutor(THREADS) as threads,
        ):
            saver.setup()
            compiled = graph(saver)

            async def in_thread(load: Load, thread: Any = None) -> int:
                thread = thread or _thread(load)
                invoke = partial(compiled.invoke, _start(load), thread, durability="sync")
                end = await asyncio.get_running_loop().run_in_executor(threads, invoke)
                return int(end["number"])

            async def rerun_in_thread_of(load: Load) -> Rerun:
                thread = _thread(load)
                await in_thread(load, thread)
                history = list(compiled.get_state_history(thread, limit=2))
                invoke = partial(compiled.invoke, None, history[1].config, durability="sync")

                async def rerun() -> int:
                    end = await asyncio.get_running_loop().run_in_executor(threads, invoke)
                    return int(end["number"])

                return rerun

            yield Opened(in_thread, rerun_in_thread_of)
    else:
        async with (
            AsyncPostgresSaver.from_conn_string(url) as plain,
            AsyncPostgresSaver.from_conn_string(url, pipeline=True) as pipeline,
        ):
            await plain.setup()
            small, large = graph(pipeline), graph(plain)

            async def run(load: Load, thread: Any = None) -> int:
                thread = thread or _thread(load)
                compiled = small if load.size <= SMALL else large
                end = await compiled.ainvoke(_start(load), thread, durability="sync")
                return int(end["number"])

            async def rerun_of(load: Load) -> Rerun:
                thread = _thread(load)
                await run(load, thread)
                history = [state async for state in small.aget_state_history(thread, limit=2)]

                async def rerun() -> int:
                    end = await small.ainvoke(None, history[1].config, durability="sync")
                    return int(end["number"])

                return rerun

            yield Opened(run, rerun_of)


def _thread(load: Load) -> dict[str, Any]:
    return {"configurable": {"thread_id": str(uuid4())}, "recursion_limit": load.steps + 10}


def _start(load: Load) -> dict[str, Any]:
    return {"number": 0, **load.fields()}
