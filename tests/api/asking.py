"""How a test asks the service: in plain words, over real ASGI, with everything checked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cairn.api.problem_types import STATUSES
from cairn.main import create_app
from cairn.settings import Settings
from tests.api.gates import BOUND

WORKFLOWS = Path(__file__).parent / "workflows"
ENDED = {"completed", "failed", "cancelled"}
NOBODY = "0198c0de-0000-7000-8000-000000000000"
"""The id of nothing."""

Json = dict[str, Any]

LEAKS = ("Traceback", 'File "', ".py", "site-packages", "sqlite", "SELECT", "INSERT")


def read(response: httpx.Response) -> Any:
    """The JSON of the answer, which has no word for infinity."""
    assert response.headers["content-type"].startswith("application/"), response.text
    return json.loads(
        response.content, parse_constant=lambda word: pytest.fail(f"not JSON: {word}")
    )


@dataclass(frozen=True)
class Cairn:
    """The service, as a client sees it."""

    http: httpx.AsyncClient

    async def get(self, path: str, **query: Any) -> Any:
        """What a GET that succeeds gives."""
        response = await self.http.get(path, params=query)
        assert response.status_code == 200, response.text
        return read(response)

    async def context(self, workflow: str) -> str:
        """A new context's id."""
        response = await self.http.post("/contexts", json={"workflow": workflow})
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    async def start(
        self, workflow: str, start_event: Json | None = None, context: str | None = None
    ) -> Json:
        """A run, as the 202 shows it."""
        body = {"workflow": workflow, "start_event": start_event or {}, "context_id": context}
        response = await self.http.post("/runs", json=body)
        assert response.status_code == 202, response.text
        return dict(read(response))

    async def rerun(self, checkpoint: Json) -> Json:
        """A run from that checkpoint, as the 202 shows it."""
        response = await self.http.post(f"/checkpoints/{checkpoint['id']}/rerun")
        assert response.status_code == 202, response.text
        return dict(read(response))

    async def tell(self, run: Json, kind: str, **data: Any) -> None:
        """Say something to a run."""
        response = await self.http.post(
            f"/runs/{run['id']}/events", json={"type": kind, "data": data}
        )
        assert response.status_code == 202, response.text

    async def until(self, run: Json, *statuses: str) -> Json:
        """The run, once it has one of these statuses."""
        async with asyncio.timeout(BOUND):
            while True:
                seen: Json = await self.get(f"/runs/{run['id']}")
                if seen["status"] in statuses:
                    return seen
                assert seen["status"] not in ENDED, seen
                await asyncio.sleep(0.005)

    async def ended(self, run: Json) -> Json:
        """The run, once it has ended."""
        return await self.until(run, *ENDED)

    async def completed(
        self, workflow: str, start_event: Json | None = None, context: str | None = None
    ) -> Json:
        """A run that was started and has completed."""
        return await self.until(await self.start(workflow, start_event, context), "completed")

    async def checkpoints(self, of: Json, **query: Any) -> list[Json]:
        """The checkpoints of a run, on one page."""
        page: Json = await self.get(f"/runs/{of['id']}/checkpoints", limit=1000, **query)
        assert page["next_cursor"] is None
        return list(page["items"])

    async def pages(self, path: str, **query: Any) -> list[list[Json]]:
        """All pages of a list."""
        pages = []
        cursor = None
        while True:
            more: Json = {} if cursor is None else {"cursor": cursor}
            page = await self.get(path, **query, **more)
            assert page.keys() == {"items", "next_cursor"}
            pages.append(page["items"])
            cursor = page["next_cursor"]
            if cursor is None:
                return pages
            assert len(pages) < 1000, "the pages have no end"


class InTime(httpx.ASGITransport):
    """Asks the application, and does not wait for ever."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        async with asyncio.timeout(4 * BOUND):
            return await super().handle_async_request(request)


@asynccontextmanager
async def serving(
    database_url: str, workflows: Path = WORKFLOWS, **settings: Any
) -> AsyncIterator[Cairn]:
    """The service, up on this database."""
    app = create_app(Settings(database_url=database_url, workflows=workflows, **settings))
    transport = InTime(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://localhost", trust_env=False
        ) as http,
    ):
        yield Cairn(http)


def refused(response: httpx.Response, status: int, *words: str) -> Json:
    """The problem with which the service refused, which says these words and leaks nothing."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: Json = read(response)
    wanted = {"type", "title", "status", "detail"} | ({"errors"} if status == 422 else set())
    assert problem.keys() == wanted
    assert problem["status"] == status == STATUSES[problem["type"].removeprefix("/problems/")]
    assert all(
        problem[key] and isinstance(problem[key], str) for key in wanted - {"status", "errors"}
    )
    if status == 422:
        assert problem["errors"]
        assert all(error["message"] for error in problem["errors"])
    for word in words:
        assert word in response.text
    for leak in (*LEAKS, str(Path(__file__).parents[2])):
        assert leak not in response.text
    return problem


def steps(checkpoints: list[Json]) -> list[str]:
    """The steps that completed, in order."""
    return [c["last_completed_step"] for c in checkpoints if c["last_completed_step"]]
