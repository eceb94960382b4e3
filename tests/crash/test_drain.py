"""SIGTERM and SIGINT: running steps get their grace, and the next start takes up what is left."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import httpx
import pytest

from tests.crash.conftest import Start
from tests.crash.load import Load
from tests.crash.orders import Order
from tests.crash.service import BOUND, Service, until
from tests.crash.trace import Delivery, Mark

pytestmark = pytest.mark.crash

GRACE = 2.0
"""Seconds that running steps have, where a test lets that time run out."""

AT_ONCE = 1.0
"""Seconds from the signal until nothing new is started."""

LAST_ACTS = 10.0
"""Seconds from the end of the grace until the process has ended."""

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""How a service ends depends little on its database: one test looks at both, the others at one."""

any_signal = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])

HOLDS = ("hold", "hold_thread", "hold_pool", "hold_stubborn")
"""A step can run on the event loop, or in a thread of its own or of asyncio's, that nobody can
interrupt; and it can refuse to be interrupted."""


@any_signal
async def test_running_steps_complete_and_nothing_follows_them_until_the_next_start(
    service: Service, number: signal.Signals
) -> None:
    orders = _held(service)
    async with Load([service.url]) as load:
        await _hold(service, load, orders, anew=True)
        told = _tell(service, number)
        await until(lambda: time.monotonic() > told + AT_ONCE, "part of the grace is over")
        assert service.is_alive
        _let_go(orders)
        await service.ended(LAST_ACTS)
        code = service.exit_code
        assert _times(service.trace.ended, orders, "hold", 1) == {1}
        assert _times(service.trace.began, orders, "after", 2) == {0}

        await service.start()
        await _all_complete(load, orders)
        assert _times(service.trace.began, orders, "hold", 1) == {1}
        assert _times(service.trace.began, orders, "after", 2) == {1}
        assert code == 0


@on_sqlite
async def test_steps_longer_than_the_grace_are_interrupted_and_executed_again(
    make_service: Start,
) -> None:
    service = make_service(CAIRN_DRAIN_SECONDS=str(GRACE))
    orders = _held(service)
    async with Load([service.url]) as load:
        await _hold(service, load, orders)
        service.tell(signal.SIGTERM)
        took = await service.ended(GRACE + LAST_ACTS)
        code = service.exit_code
        print(f"ended {took:.3f} s after the signal, with a grace of {GRACE:g} s")
        assert took >= GRACE, "the steps had their grace"

        _let_go(orders)
        await service.start()
        await _all_complete(load, orders)
        assert _times(service.trace.began, orders, "begin", 0) == {1}
        assert _times(service.trace.began, orders, "hold", 1) == {2}
        assert _times(service.trace.ended, orders, "hold", 1) == {1}
        assert code == 0


@on_sqlite
async def test_nothing_new_is_started_once_it_was_told_to_stop(service: Service) -> None:
    orders = _orders(12)
    async with Load([service.url]) as load:
        await _under_way(service, load, orders)
        told = _tell(service)
        await service.ended(AT_ONCE + LAST_ACTS)
        code = service.exit_code
        assert _begun_after(service, told + AT_ONCE) == []
        await _resumes(service, load, orders)
        assert code == 0


@on_sqlite
async def test_nothing_new_is_started_while_a_client_is_slow_to_finish_its_request(
    service: Service,
) -> None:
    orders = _orders(12)
    async with Load([service.url]) as load:
        await _under_way(service, load, orders)
        with socket.create_connection(("127.0.0.1", service.port)) as slow:
            slow.sendall(b"POST /runs HTTP/1.1\r\nHost: cairn\r\nContent-Length: 100\r\n\r\n{")
            await load.get("/health/live")  # what was sent before has been read
            told = _tell(service)
            await service.ended(AT_ONCE + LAST_ACTS)
        code = service.exit_code
        assert _begun_after(service, told + AT_ONCE) == []
        await _resumes(service, load, orders)
        assert code == 0


@on_sqlite
async def test_who_waits_for_a_run_is_answered_when_the_service_stops(
    make_service: Start,
) -> None:
    service = make_service(CAIRN_DRAIN_SECONDS=str(GRACE))
    orders = _held(service)
    async with Load([service.url]) as load, httpx.AsyncClient(timeout=60) as client:
        await _hold(service, load, orders)
        url = f"{service.url}/runs/{orders[0].run_id}"
        waiting = asyncio.create_task(client.get(url, headers={"Prefer": "wait=60"}))
        await load.get("/health/live")  # it is asked after the other, and has been answered
        told = _tell(service)
        response = await waiting
        took = time.monotonic() - told
        await service.ended(GRACE + LAST_ACTS)
        code = service.exit_code
        print(f"answered {took:.3f} s after the signal")
        assert response.status_code == 200
        assert response.json()["status"] == "running"
        assert took < LAST_ACTS

        _let_go(orders)
        await service.start()
        await _all_complete(load, orders)
        assert code == 0


@on_sqlite
async def test_steps_and_runs_that_only_wait_do_not_hold_up_the_end(service: Service) -> None:
    orders = [Order("asks", "approval", 2), Order("consults", "consult", 2)]
    async with Load([service.url]) as load:
        await service.start()
        for order in orders:
            await load.order(order)
            await load.asked(order, 1)
        service.tell(signal.SIGTERM)
        await service.ended(LAST_ACTS)
        code = service.exit_code

        await service.start()
        for order in orders:
            for number in (1, 2):
                await load.asked(order, number)
                await load.answer(order, number)
        await _all_complete(load, orders)
        assert code == 0


@on_sqlite
@pytest.mark.parametrize(("workflow", "is_said"), [("leave_thread", True), ("leave_pool", False)])
async def test_threads_that_steps_have_left_running_do_not_hold_up_the_end(
    service: Service, workflow: str, is_said: bool
) -> None:
    orders = [Order("leaves", workflow, 1, gate=str(service.home / "gate"))]
    async with Load([service.url]) as load:
        await service.start()
        await load.order(orders[0])
        await _all_complete(load, orders)
        service.tell(signal.SIGTERM)
        await service.ended(LAST_ACTS)
        assert service.exit_code == 0
    assert ("left behind" in service.output) is is_said


@on_sqlite
async def test_being_told_twice_ends_it_sooner_and_loses_nothing(service: Service) -> None:
    orders = _held(service)
    async with Load([service.url]) as load:
        await _hold(service, load, orders)
        service.tell(signal.SIGINT)
        await until(lambda: not service.listens, "it closes its door")
        service.tell(signal.SIGINT)
        await service.ended(BOUND)

        _let_go(orders)
        await service.start()
        await _all_complete(load, orders)


# What these tests share


def _held(service: Service) -> list[Order]:
    """Runs whose steps take until they are let go."""
    return [Order(workflow, workflow, 1, gate=str(service.home / "gate")) for workflow in HOLDS]


async def _hold(service: Service, load: Load, orders: Iterable[Order], anew: bool = False) -> None:
    """Start the service, and the runs: their steps are under way, and hold."""
    await service.start(anew)
    for order in orders:
        await load.order(order)
        await service.reaches((order.key, "hold", 1))


def _times(
    count: Callable[[Delivery], int], orders: Iterable[Order], step: str, number: int
) -> set[int]:
    """How many times that was done in each of the runs."""
    return {count((order.key, step, number)) for order in orders}


def _let_go(orders: Iterable[Order]) -> None:
    """They hold no longer."""
    for order in orders:
        Path(order.gate).touch()


async def _all_complete(load: Load, orders: Iterable[Order]) -> None:
    """The runs complete, with the right result."""
    for order in orders:
        run = await load.ended(order)
        assert (run["status"], run["result"]) == ("completed", order.result(1))


def _orders(count: int) -> list[Order]:
    """Runs that take a while, of all the shapes that need nobody."""
    shapes = [("chain", 6), ("fan", 6), ("counter", 6)]
    return [Order(f"run-{n}", *shapes[n % 3], pause=0.4) for n in range(count)]


async def _under_way(service: Service, load: Load, orders: Iterable[Order]) -> None:
    """Start the service, and the runs: each has completed a step, and has more to do."""
    await service.start()
    for order in orders:
        await load.order(order)

    def each_has_completed_one() -> bool:
        return len({mark.key for mark in service.trace.marks("end")}) == len(load.ordered)

    await until(each_has_completed_one, "each run has completed a step")


async def _resumes(service: Service, load: Load, orders: Iterable[Order]) -> None:
    """The next start takes up all the runs, and executes no step again that had completed."""
    before = {mark.delivery for mark in service.trace.marks("end")}
    await service.start()
    await _all_complete(load, orders)
    again: set[Delivery] = {
        mark.delivery for mark in service.trace.marks("begin") if mark.pid == service.pids[-1]
    }
    assert again & before == set(), "steps that had completed within the grace"


def _tell(service: Service, number: signal.Signals = signal.SIGTERM) -> float:
    """Tell it to stop; the moment."""
    service.tell(number)
    return time.monotonic()


def _begun_after(service: Service, moment: float) -> list[Mark]:
    return [mark for mark in service.trace.marks("begin") if mark.at > moment]
