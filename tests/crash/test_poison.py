"""A step that ends its process: the run is given up, and no other is harmed."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from tests.crash.conftest import Start
from tests.crash.load import Load
from tests.crash.orders import Order
from tests.crash.service import BOUND, Service

pytestmark = pytest.mark.crash

MAX = 3
SETTINGS = {"CAIRN_MAX_RECOVERIES": str(MAX), "CAIRN_LEASE_SECONDS": "2"}
POISON_EXIT = 7


async def ask(services: Sequence[Service], method: str, path: str, **body: Any) -> Any:
    """What the first of the services says that lives long enough."""
    async with asyncio.timeout(BOUND):
        while True:
            for service in services:
                try:
                    async with httpx.AsyncClient(base_url=service.url) as client:
                        response = await client.request(method, path, **body)
                except httpx.TransportError:
                    continue
                assert response.status_code < 300, response.text
                return response.json()
            await asyncio.sleep(0.05)


async def keep_alive(services: Sequence[Service]) -> None:
    """Start each of them again whenever it has ended, as a supervisor does."""
    while True:
        for service in services:
            if not service.is_alive:
                service.spawn()
        await asyncio.sleep(0.05)


async def given_up(services: Sequence[Service], run_id: str) -> Any:
    """The run, once it has ended."""
    async with asyncio.timeout(2 * BOUND):
        while True:
            run = await ask(services, "GET", f"/runs/{run_id}")
            if run["finished_at"] is not None:
                return run
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("number", [1, 3])
async def test_a_run_that_ends_its_process_is_given_up_and_the_others_are_carried_on(
    make_service: Start, number: int
) -> None:
    services = [make_service(**SETTINGS) for _ in range(number)]
    antidote = services[0].home / "antidote"
    gate = services[0].home / "gate"
    held = [Order(f"held-{n}", "hold", 2, gate=str(gate)) for n in range(5)]
    async with Load([service.url for service in services]) as load:
        for service in services:
            await service.start()
        for order in held:
            await load.order(order)
        dose = {"workflow": "poison", "start_event": {"antidote": str(antidote)}}
        poisoned = await ask(services, "POST", "/runs", json=dose)
        supervisor = asyncio.create_task(keep_alive(services))
        try:
            run = await given_up(services, poisoned["id"])
            gate.touch()
            others = [await load.ended(order) for order in held]
        finally:
            supervisor.cancel()
    assert (run["status"], run["error"]["type"]) == ("failed", "ProcessLost")
    assert run["error"]["step"] == "digest"
    assert f"ended {MAX + 1} times while digest was under way" in run["error"]["message"]
    assert {other["status"] for other in others} == {"completed"}
    lives = sum(len(service.pids) for service in services)
    assert lives == number + MAX + 1, "each process that ended was started again"
    antidote.touch()
    [*_, newest] = (await ask(services, "GET", f"/runs/{run['id']}/checkpoints"))["items"]
    rerun = await ask(services, "POST", f"/checkpoints/{newest['id']}/rerun")
    assert (await given_up(services, rerun["id"]))["result"] == "well"


async def test_a_run_whose_processes_are_killed_by_others_is_carried_on(
    make_service: Start,
) -> None:
    service = make_service(**SETTINGS)
    gate = service.home / "gate"
    order = Order("held", "hold", 3, gate=str(gate))
    async with Load([service.url]) as load:
        await service.start()
        await load.order(order)
        for _ in range(MAX):  # it leaves no checkpoint in any of these lives
            service.kill()
            await service.start()
        gate.touch()
        assert (await load.ended(order))["status"] == "completed"
