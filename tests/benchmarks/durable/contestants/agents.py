"""llama-agents-server: its workflow server, asked as its own HTTP routes ask it."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from llama_agents.server import SqliteWorkflowStore, WorkflowServer
from workflows.events import Event, StartEvent, StopEvent

from tests.benchmarks.durable.contestants import Opened
from tests.benchmarks.durable.load import Load
from workflows import Context, Workflow, step


class Start(StartEvent):
    """Begins a run of a load."""

    steps: int
    size: int = 1_000
    touched: bool = False


class Round(Event):
    """Once more."""

    number: int
    steps: int
    size: int
    touched: bool


class Counting(Workflow):
    """Counts to `steps`, in as many steps."""

    @step
    async def count(self, ctx: Context, ev: Start | Round) -> Round | StopEvent:
        """Count one further."""
        number = ev.number if isinstance(ev, Round) else 0
        big = Load(ev.steps, 1, ev.size, ev.touched).value(number)
        number += 1
        async with ctx.store.edit_state() as state:
            state.count = number
            if big is not None:
                state.value = big
        if number == ev.steps:
            return StopEvent(result=number)
        return Round(number=number, steps=ev.steps, size=ev.size, touched=ev.touched)


def server(url: str) -> tuple[WorkflowServer, Any]:
    """Its server and the store of it, on an empty database."""
    store: Any
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        store = SqliteWorkflowStore(path, single_connection=True)
    else:
        from llama_agents.server._store.postgres_workflow_store import PostgresWorkflowStore

        store = PostgresWorkflowStore(url)
    made = WorkflowServer(workflow_store=store)
    made.add_workflow("counting", Counting(timeout=None))
    return made, store


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    """Begin, on an empty database."""
    serving, store = server(url)
    async with serving.contextmanager(), AsyncExitStack() as stack:
        if hasattr(store, "close"):
            stack.push_async_callback(store.close)
        service = serving._service
        workflow = service.get_workflow("counting")
        numbers = itertools.count()

        async def run(load: Load) -> int:
            start = Start(**load.fields())
            handler = await service.start_workflow(workflow, f"run-{next(numbers)}", start)
            seen = await service.await_workflow(handler)
            return int(seen.result.value["result"])

        yield Opened(run)


def application(url: str) -> Any:
    """Its own ASGI application, which starts and stops with the server."""
    return server(url)[0].app
