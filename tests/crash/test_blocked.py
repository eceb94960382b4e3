"""A step that blocks the event loop: it is named, and others take over."""

import time
from typing import Any

import httpx
import pytest

from tests.crash.conftest import Start
from tests.crash.load import Load
from tests.crash.orders import Order
from tests.crash.service import BOUND, Service, until

pytestmark = pytest.mark.crash


async def block(service: Service, seconds: float) -> str:
    """Have a step block the service's loop, which is blocked when this returns; the run's id."""
    mark = service.home / "mark"
    async with httpx.AsyncClient(base_url=service.url, timeout=BOUND) as client:
        body = {"workflow": "blocking", "start_event": {"seconds": seconds, "mark": str(mark)}}
        run = (await client.post("/runs", json=body)).json()
    await until(lambda: "the event loop is blocked" in service.output, "the log says so")
    return str(run["id"])


async def ask(service: Service, method: str, path: str, seconds: float) -> httpx.Response:
    """What a connection of its own is answered within that time."""
    async with httpx.AsyncClient(base_url=service.url, timeout=seconds) as client:
        return await client.request(method, path)


async def test_a_blocked_loop_is_said_and_the_process_still_answers_that_it_lives(
    make_service: Start,
) -> None:
    service = make_service()
    await service.start()
    run_id = await block(service, 4.0)
    assert f"run={run_id}" in service.output
    assert "step=sleep" in service.output
    assert "workflow=blocking" in service.output
    assert "time.sleep(ev.seconds)" in service.output, "its stack"
    since = time.monotonic()
    live = await ask(service, "GET", "/health/live", 2.0)
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (await ask(service, "HEAD", "/health/live", 2.0)).status_code == 200
    assert "moves again" not in service.output, "it was answered while the loop stood still"
    print(f"answered within {time.monotonic() - since:.2f} s")
    seen: Any = (await ask(service, "GET", f"/runs/{run_id}", BOUND)).json()
    assert seen["status"] in {"running", "completed"}, "others are answered when it moves again"
    await until(lambda: "moves again" in service.output, "the log says so")


async def test_the_runs_of_a_service_that_is_stuck_are_taken_over(make_service: Start) -> None:
    settings = {"CAIRN_LEASE_SECONDS": "1", "CAIRN_STUCK_SECONDS": "2"}
    one, other = make_service(**settings), make_service(**settings)
    gate = one.home / "gate"
    orders = [Order(f"held-{n}", "hold", 2, gate=str(gate)) for n in range(5)]
    async with Load([one.url]) as load:
        await one.start()
        for order in orders:
            await load.order(order)
        await other.start()
        await block(one, 12.0)
        gate.touch()
        since = time.monotonic()
        async with Load([other.url], ordered=load.ordered) as elsewhere:
            for order in orders:
                assert (await elsewhere.ended(order))["status"] == "completed"
        taken = time.monotonic() - since
        print(f"taken over and completed {taken:.1f} s after the loop was said to be blocked")
        assert "moves again" not in one.output, "it stood still until then"
        assert (await ask(one, "GET", "/health/live", 2.0)).status_code == 503
