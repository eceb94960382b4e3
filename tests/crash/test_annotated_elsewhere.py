"""Words about a run that one process takes are shown by the process that drives the run."""

import asyncio
from pathlib import Path

import httpx
import pytest

from tests.crash.conftest import Start
from tests.crash.service import BOUND, SOON

pytestmark = pytest.mark.crash


async def test_words_that_another_process_takes_are_shown_by_the_one_that_drives(
    make_service: Start, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    driving, other = make_service(), make_service()
    await driving.start()
    await other.start()
    async with (
        httpx.AsyncClient(base_url=driving.url) as here,
        httpx.AsyncClient(base_url=other.url) as there,
    ):
        body = {"workflow": "hold", "start_event": {"key": "held", "gate": str(gate)}}
        run = (await here.post("/runs", json=body)).json()
        await driving.reaches(("held", "hold", 1))
        path = f"/runs/{run['id']}"
        changed = await there.patch(path, json={"name": "from elsewhere", "tags": ["x"]})
        assert changed.status_code == 200, changed.text
        async with asyncio.timeout(BOUND):
            while (await here.get(path)).json()["name"] is None:  # noqa: ASYNC110
                await asyncio.sleep(SOON)
        gate.touch()
        seen = (await here.get(path, headers={"Prefer": "wait=30"})).json()
        assert (seen["status"], seen["name"], seen["tags"]) == (
            "completed",
            "from elsewhere",
            ["x"],
        )
