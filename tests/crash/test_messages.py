"""What was said to a run and answered 202 is heard, once, whenever the service is killed."""

import asyncio
from collections import Counter
from collections.abc import Iterable

import httpx
import pytest

from tests.crash.conftest import Start
from tests.crash.load import Load, completed, heard
from tests.crash.orders import Order
from tests.crash.service import Service

pytestmark = pytest.mark.crash

WAITS = ("approval", "consult")
"""A run can wait between two steps, or in the middle of one."""


async def test_an_answer_that_was_accepted_is_heard_once_after_a_kill(service: Service) -> None:
    orders = [Order(f"{workflow}-{n}", workflow, 1) for workflow in WAITS for n in range(2)]
    async with Load([service.url]) as load:
        await service.start()
        await _all_ask(load, orders)
        for order in orders:
            await load.answer(order, 1)
            service.kill()
            await service.start()
        await _all_end_as_they_should(load, orders)


async def test_a_kill_between_two_waits_loses_neither_answer(service: Service) -> None:
    orders = [Order(workflow, workflow, 3) for workflow in WAITS]
    async with Load([service.url]) as load:
        await service.start()
        for number in (1, 2, 3):
            await _all_ask(load, orders, number)
            service.kill()
            await service.start()
            for order in orders:
                await load.answer(order, number)
        await _all_end_as_they_should(load, orders)


async def test_an_answer_that_is_repeated_after_a_kill_is_not_heard_again(service: Service) -> None:
    orders = [Order(workflow, workflow, 2) for workflow in WAITS]
    async with Load([service.url]) as load:
        await service.start()
        await _all_ask(load, orders)
        for order in orders:
            await load.answer(order, 1)
        service.kill()
        await service.start()
        for order in orders:  # whoever sent it has never seen that it was accepted
            await load.answer(order, 1)
        await _all_ask(load, orders, 2)
        for order in orders:
            await load.answer(order, 2)
        await _all_end_as_they_should(load, orders)


async def test_a_word_that_came_before_it_was_waited_for_survives_a_kill(service: Service) -> None:
    order = Order("early", "consult", 2)
    async with Load([service.url]) as load:
        await service.start()
        await load.order(order)
        await load.asked(order, 1)
        await load.answer(order, 2)
        service.kill()
        await service.start()
        await load.answer(order, 1)
        run = await load.ended(order)
        assert (run["status"], run["result"][:2]) == ("completed", ["answer 1", "answer 2"])
        path = f"/runs/{order.run_id}/checkpoints"
        assert len(await load.every(path, output_event_type="Word")) == 2
        assert load.surprises == []


async def test_a_run_that_waits_costs_nothing_after_a_restart(service: Service) -> None:
    orders = [Order(f"{workflow}-{n}", workflow, 1) for workflow in WAITS for n in range(10)]
    busy = Order("busy", "chain", 9)
    async with Load([service.url]) as load:
        await service.start()
        await _all_ask(load, orders)
        before = await load.checkpoints(orders)
        service.kill()
        await service.start()
        await load.order(busy)  # when this one has ended, those before it have had their turn
        assert (await load.ended(busy))["status"] == "completed"
        assert await load.checkpoints(orders) == before
        waiting = await load.every("/runs", status="waiting")
        assert {run["id"] for run in waiting} == {order.run_id for order in orders}
        begun = {m.key for m in service.trace.marks("begin") if m.pid == service.pids[-1]}
        assert begun == {"busy"}, "no step is executed for a run that waits"
        for order in orders:
            await load.answer(order, 1)
        await _all_end_as_they_should(load, orders)


async def test_who_waits_at_one_service_is_told_of_a_run_that_another_drives(
    make_service: Start,
) -> None:
    one, other = make_service(), make_service()
    order = Order("elsewhere", "consult", 2)
    async with Load([one.url]) as load:
        await one.start()
        await other.start()
        await load.order(order)
        await load.asked(order, 1)
        for answered in (1, 2):  # it waits for the second answer then, and ends after that
            async with httpx.AsyncClient(base_url=other.url, timeout=60) as client:
                patient = {"Prefer": "wait=50"}
                path = f"/runs/{order.run_id}"
                waiting = asyncio.create_task(client.get(path, headers=patient))
                await asyncio.wait([waiting], timeout=1.5)
                assert not waiting.done()
                await load.answer(order, answered)
                seen = (await waiting).json()
            assert seen["status"] == ("waiting" if answered == 1 else "completed")


async def _all_ask(load: Load, orders: Iterable[Order], number: int = 1) -> None:
    """Have the runs started, if this is their first question; wait until they all ask it."""
    if number == 1:
        for order in orders:
            await load.order(order)
    for order in orders:
        await load.asked(order, number)


async def _all_end_as_they_should(load: Load, orders: Iterable[Order]) -> None:
    """They complete with their answers; each has come in once, and no step has completed twice."""
    for order in orders:
        run = await load.ended(order)
        assert (run["status"], run["result"]) == ("completed", order.result(1))
    for key, checkpoints in (await load.checkpoints(orders)).items():
        order = next(order for order in orders if order.key == key)
        assert [c["seq"] for c in checkpoints] == list(range(1, len(checkpoints) + 1))
        assert completed(checkpoints) == Counter(order.deliveries)
        assert heard(checkpoints) == order.received
    assert load.surprises == []
