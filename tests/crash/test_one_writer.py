"""Two services on one database: a run may be carried forward by both, and is moved on by one."""

import asyncio
import random
import time
from collections import Counter

import pytest

from tests.crash.checks import check_checkpoints, check_results
from tests.crash.conftest import Start
from tests.crash.load import Load
from tests.crash.orders import any_orders
from tests.crash.service import until

pytestmark = pytest.mark.crash

CUSTOMERS = 12
STARTS = 3


async def test_two_services_on_one_database_keep_every_run_exact(make_service: Start) -> None:
    """Each start of the other takes up all that is under way, which the first one drives too."""
    seed = time.time_ns()
    print(f"the orders come from seed {seed}")
    one, other = make_service(), make_service()
    async with Load([one.url]) as load:
        await one.start()
        contexts = await load.contexts("chain", "counter")
        orders = any_orders(random.Random(seed), contexts)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.customers(CUSTOMERS, orders))
            for _ in range(STARTS):
                await other.start()
                await _more(load, CUSTOMERS)
                other.kill()
            await other.start()
            load.close()
        ordered = {order.key: order for order in load.ordered}
        runs = await load.every("/runs")
        assert Counter(run["status"] for run in runs) == {"completed": len(ordered)}
        found = await load.checkpoints(ordered.values())
        await check_results(load, runs, ordered, found)
        for key, checkpoints in found.items():
            check_checkpoints(ordered[key], checkpoints)
    assert load.surprises == []
    assert "Traceback" not in one.output + other.output
    begun = Counter(mark.delivery for mark in one.trace.marks("begin"))
    both = sum(times > 1 for times in begun.values())
    print(f"{len(runs)} runs; {both} of {len(begun)} deliveries were executed by both")
    assert both > 0, "they have never met"


async def _more(load: Load, count: int) -> None:
    """Wait until that many more runs have been ordered."""
    enough = len(load.ordered) + count
    await until(lambda: len(load.ordered) >= enough, f"{count} more runs")
