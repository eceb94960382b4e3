"""Two services on one database: each run has one writer, whichever of them is paused or killed."""

import asyncio
import random
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.crash.checks import check_all
from tests.crash.conftest import Start
from tests.crash.load import Load
from tests.crash.orders import Order
from tests.crash.service import Service, until
from tests.crash.trace import Mark

pytestmark = pytest.mark.crash

CUSTOMERS = 8
KILLS = 3

LEASE_SECONDS = 2.0

DISASTERS = 100

AT_ONCE = 4.0
"""Seconds until the runs are taken over of a process of this machine that is gone: no lease needs
to pass."""

TAKEN_OVER = 3 * LEASE_SECONDS + 15.0
"""Seconds until those are of one that stands still, and may have done so amid a transaction."""


async def test_no_run_is_taken_from_a_living_service_and_those_of_a_dead_one_are_at_once(
    make_service: Start,
) -> None:
    one, other = make_service(), make_service()
    seed = time.time_ns()
    print(f"the random instants come from seed {seed}")
    chance = random.Random(seed)
    killed: dict[int, float] = {}
    async with Load([one.url, other.url]) as load:
        await one.start()
        async with load.busy(CUSTOMERS, chance):
            for number in range(KILLS + 1):
                await other.start()
                await load.more(2 * CUSTOMERS)
                if number < KILLS:
                    await asyncio.sleep(chance.uniform(0, 0.5))
                    killed[other.pids[-1]] = time.monotonic()
                    other.kill()
        marks = one.trace.marks()
        await check_all(load, marks)
    assert "Traceback" not in one.output + other.output
    taken = _taken_over(marks)
    print(f"{len(load.ordered)} runs, {len(taken)} executions taken over")
    assert taken, "none was under way when its service was killed"
    for before, after in taken:
        assert before.pid in killed, "it was alive"
        assert killed[before.pid] - 0.1 < after.at, "it was alive still"
    assert {mark.pid for mark in marks} == {*one.pids, *other.pids}, "each has driven runs"


async def test_the_runs_of_a_service_that_is_killed_are_taken_over_at_once(
    make_service: Start,
) -> None:
    one, other = make_service(), make_service()
    gate = one.home / "gate"
    orders = [Order(f"hold-{number}", "hold", 1, gate=str(gate)) for number in range(5)]
    waiting = [Order(workflow, workflow, 2) for workflow in ("approval", "consult")]
    async with Load([one.url]) as load:
        await one.start()
        await other.start()
        await _all_held(load, one, orders)
        for order in waiting:
            await load.order(order)
            await load.asked(order, 1)
        one.kill()
        since = time.monotonic()
        await until(lambda: _held_by(other, orders), "they are taken over", AT_ONCE)
        print(f"taken over {time.monotonic() - since:.3f} s after the kill")
        gate.touch()
    async with Load([other.url], ordered=load.ordered) as load:
        for order in waiting:
            for number in (1, 2):
                await load.asked(order, number)
                await load.answer(order, number)
        for order in (*orders, *waiting):
            assert (await load.ended(order))["status"] == "completed"
        await check_all(load, one.trace.marks())


async def test_a_service_that_was_paused_lets_go_of_the_runs_that_were_taken_over(
    make_service: Start,
) -> None:
    await _survive_pauses(make_service, pauses=1)


@pytest.mark.slow
async def test_a_service_that_is_paused_again_and_again_lets_go_each_time(
    make_service: Start,
) -> None:
    await _survive_pauses(make_service, pauses=30)


async def _survive_pauses(make_service: Start, pauses: int) -> None:
    lease = {"CAIRN_LEASE_SECONDS": str(LEASE_SECONDS)}
    one, other = make_service(**lease), make_service(**lease)
    seed = time.time_ns()
    print(f"the random instants come from seed {seed}")
    chance = random.Random(seed)
    resumed: list[tuple[int, float]] = []
    async with (
        # A server ends the connection of who stands still amid a transaction: it has to connect.
        Load([one.url, other.url], patient=True) as load,
        Load([one.url], patient=True) as of_one,
    ):
        await one.start()
        await other.start()
        async with load.busy(CUSTOMERS, chance):
            for number in range(pauses):
                gate = one.home / f"gate-{number}"
                names = [f"hold-{number}-{n}" for n in range(3)]
                orders = [Order(name, "hold", 1, gate=str(gate)) for name in names]
                await _all_held(of_one, one, orders)
                await load.more(CUSTOMERS)
                await _pause(one, chance)
                await until(lambda o=orders: _held_by(other, o), "taken over", TAKEN_OVER)  # type: ignore[misc]
                gate.touch()
                ended = [await asyncio.wait_for(_ended_at(other, o), 60) for o in orders]
                resumed.append((one.pids[-1], time.monotonic()))
                one.go_on()
                assert ended == ["completed"] * len(orders)
                await one.ready()
                await load.more(2 * CUSTOMERS)  # which both take
        load.ordered += of_one.ordered
        await check_all(load, one.trace.marks(), resumed)
        new = Order("new", "chain", 3)
        assert (await of_one.carry_out(new))["status"] == "completed"
        assert of_one.surprises == []
    assert "Traceback" not in one.output + other.output
    by_new = {mark.pid for mark in one.trace.marks("begin") if mark.key == "new"}
    assert by_new == {one.pids[0]}, "the one that was paused drives runs again"


@pytest.mark.slow
async def test_services_that_are_killed_and_paused_at_random_keep_every_run_exact(
    make_service: Start,
) -> None:
    lease = {"CAIRN_LEASE_SECONDS": str(LEASE_SECONDS)}
    services = [make_service(**lease) for _ in range(3)]
    seed = time.time_ns()
    print(f"the random instants come from seed {seed}")
    chance = random.Random(seed)
    resumed: list[tuple[int, float]] = []
    async with Load([service.url for service in services], patient=True) as load:
        for service in services:
            await service.start()
        async with load.busy(CUSTOMERS, chance):
            for _ in range(DISASTERS):
                await asyncio.sleep(chance.uniform(0, 1.0))
                service = chance.choice(services)
                if chance.random() < 0.7:
                    service.kill()
                    await asyncio.sleep(chance.uniform(0, 1.0))
                    await service.start()
                else:
                    await _pause(service, chance)
                    await asyncio.sleep(chance.uniform(0.5, 2.0) * LEASE_SECONDS)
                    resumed.append((service.pids[-1], time.monotonic()))
                    service.go_on()
        await check_all(load, services[0].trace.marks(), resumed)
    assert not any("Traceback" in service.output for service in services)


async def test_what_is_said_to_one_service_reaches_the_run_in_the_other(
    make_service: Start,
) -> None:
    one, other = make_service(), make_service()
    waiting = [Order(workflow, workflow, 2) for workflow in ("approval", "consult")]
    held = Order("hold", "hold", 1, gate=str(one.home / "gate"))
    async with Load([one.url]) as at_one, Load([other.url]) as at_other:
        await one.start()
        await other.start()
        for order in waiting:
            await at_one.order(order)
            for number in range(1, order.size + 1):
                await at_other.asked(order, number)
                await at_other.answer(order, number)
            assert (await at_other.ended(order))["result"] == order.result(1)
        await check_all(at_one, one.trace.marks())

        await _all_held(at_one, one, [held])
        await at_other.post(f"/runs/{held.run_id}/cancel", {}, "cancel")
        assert (await at_one.ended(held))["status"] == "cancelled"
    assert {mark.pid for mark in one.trace.marks()} == {one.pids[0]}, "it stays where it is"


# What these tests share


async def _all_held(load: Load, service: Service, orders: Iterable[Order]) -> None:
    """They are ordered, and a step of each is under way in the service."""
    for order in orders:
        await load.order(order)
        await service.reaches((order.key, "hold", 1))


def _held_by(service: Service, orders: Iterable[Order]) -> bool:
    """Whether the service's process executes all the steps that hold."""
    begun = [m for m in service.trace.marks("begin") if m.pid == service.pids[-1]]
    return {(order.key, "hold", 1) for order in orders} <= {mark.delivery for mark in begun}


async def _ended_at(service: Service, order: Order) -> object:
    async with Load([service.url]) as load:
        return (await load.ended(order))["status"]


async def _pause(service: Service, chance: random.Random) -> None:
    """Pause the service at a random instant, but not while it holds the lock of a file.

    With the lock held, no other service could take over anything.
    """
    while True:
        await asyncio.sleep(chance.uniform(0, 0.3))
        service.pause()
        if not _is_locked(service.database_url):
            return
        service.go_on()


def _is_locked(database_url: str) -> bool:
    url = make_url(database_url)
    if url.get_backend_name() != "sqlite":
        return False
    file = Path(str(url.database))
    with closing(sqlite3.connect(file, isolation_level=None, timeout=1.0)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
    return False


def _taken_over(marks: Iterable[Mark]) -> list[tuple[Mark, Mark]]:
    """Pairs of executions of one delivery, by two processes."""
    first: dict[tuple[str, str, int], Mark] = {}
    found = []
    for mark in marks:
        if mark.what == "begin":
            before = first.get(mark.delivery)
            if before is not None and before.pid != mark.pid:
                found.append((before, mark))
            first[mark.delivery] = mark
    return found
