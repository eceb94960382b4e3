"""A contestant's server: `POST /runs` makes one run, and answers when it has come to its end.

This runs in the contestant's environment, given its name, the database's URL and a port.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from tests.benchmarks.durable.contestants import CONTESTANTS
from tests.benchmarks.durable.load import Load


def application(opened: Any, url: str) -> Any:
    """FastAPI, over what makes a run in process; for who has no server of its own."""
    from fastapi import Body, FastAPI

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        async with opened(url) as here:
            app.state.run = here.run
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/runs")
    async def start(steps: int = Body(embed=True)) -> dict[str, Any]:
        return {"status": "completed", "result": await app.state.run(Load(steps))}

    return app


def main(name: str, url: str, port: str) -> None:
    """Serve until killed."""
    import uvicorn

    module_name = next(c.module for c in CONTESTANTS if c.name == name)
    module = import_module(f"tests.benchmarks.durable.contestants.{module_name}")
    if hasattr(module, "application"):
        app = module.application(url)
    else:
        app = application(module.opened, url)
    uvicorn.run(app, port=int(port), log_level="error", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
