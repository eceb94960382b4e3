"""A database that is away for a while is waited for: nothing is lost, and nothing done twice."""

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from tests.crash.checks import check_all, more_than_once
from tests.crash.conftest import Start
from tests.crash.load import Load
from tests.crash.orders import Order
from tests.crash.postgresql import Server, running
from tests.crash.service import BOUND, Service, until
from tests.databases import outside

pytestmark = pytest.mark.crash

CUSTOMERS = 8
AWAY_SECONDS = 1.5

SOON = 5.0
"""Seconds within which the service has seen that its database is away."""

AT_ONCE = 1.0
"""Seconds that an answer takes which waits for nothing."""

PATIENCE = 15.0
"""Seconds that an answer takes where the database has not hung up, and only says nothing."""

A_RUN = {"workflow": "chain", "start_event": {"key": "refused"}}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A PostgreSQL server that may be killed."""
    with outside() as folder, running(folder) as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    """A fresh database on it, which goes with it."""
    server.start()  # if a test before this one has failed, and has left it away
    name = f"cairn_{uuid4().hex}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server.url.replace("/postgres?", f"/{name}?")


async def test_a_database_server_that_is_killed_again_and_again_is_waited_for(
    serve_at: Start, server: Server, url: str
) -> None:
    await _survive_outages(serve_at(url), server, outages=4)


@pytest.mark.slow
async def test_a_database_server_that_is_killed_very_often_is_waited_for(
    serve_at: Start, server: Server, url: str
) -> None:
    await _survive_outages(serve_at(url), server, outages=100)


async def _survive_outages(service: Service, server: Server, outages: int) -> None:
    seed = time.time_ns()
    print(f"the random instants come from seed {seed}")
    chance = random.Random(seed)
    async with _customers(service, chance) as load:
        for _ in range(outages):
            await load.more(CUSTOMERS)
            await asyncio.sleep(chance.uniform(0, 0.5))
            server.kill()
            await _says_that_it_is_away(service)
            await asyncio.sleep(chance.uniform(0, AWAY_SECONDS))
            server.start()
            await service.ready()
        await load.more(CUSTOMERS)
    marks = service.trace.marks()
    print(f"{len(load.ordered)} runs, {len(load.unavailable)} times 503")
    assert more_than_once(marks) == {}, "all runs stay in memory, and no step is executed again"


async def test_a_database_server_that_answers_nothing_is_waited_for(
    serve_at: Start, server: Server, url: str
) -> None:
    service = serve_at(url)
    async with _customers(service, random.Random()) as load:
        await load.more(CUSTOMERS)
        server.pause()
        try:
            await _says_that_it_is_away(service, answers_at_once=False)
        finally:
            server.go_on()
        await service.ready()
        await load.more(CUSTOMERS)
    assert more_than_once(service.trace.marks()) == {}


async def test_a_database_that_is_away_for_longer_than_the_bound_is_said_and_runs_go_on_after_it(
    serve_at: Start, server: Server, url: str
) -> None:
    service = serve_at(url, CAIRN_DATABASE_WAIT_SECONDS="1")
    gate = service.home / "gate"
    held = [Order(f"hold-{number}", "hold", 1, gate=str(gate)) for number in range(3)]
    async with _customers(service, random.Random()) as load:
        for order in held:
            await load.order(order)
            await service.reaches((order.key, "hold", 1))
        await load.more(CUSTOMERS)
        server.kill()
        said = len(service.output)
        gate.touch()  # the held steps end, and cannot be committed

        def all_said() -> bool:
            lines = service.output[said:].splitlines()
            loud = [line for line in lines if "[warning" in line or "[error" in line]
            return all(any(order.run_id in line for line in loud) for order in held)

        await until(all_said, "the log says of each run that it was not committed")
        assert service.is_alive
        server.start()
        await service.ready()
        for order in held:
            assert (await load.ended(order))["status"] == "completed"
    again = more_than_once(service.trace.marks())
    assert {(order.key, "hold", 1) for order in held} <= again.keys(), "they were let go"
    assert not any(step == "begin" for key, step, _ in again if key.startswith("hold")), again


async def test_a_database_file_that_somebody_locks_is_waited_for(
    serve_at: Start, tmp_path: Path
) -> None:
    file = tmp_path / "cairn.db"
    service = serve_at(f"sqlite:///{file}")
    async with _customers(service, random.Random()) as load:
        await load.more(CUSTOMERS)
        with closing(sqlite3.connect(file, isolation_level=None, timeout=BOUND)) as other:
            other.execute("BEGIN IMMEDIATE")
            done = len(service.trace.marks("end"))
            await asyncio.sleep(2 * AWAY_SECONDS)
            following = len(service.trace.marks("end")) - done
            other.execute("ROLLBACK")
        assert following < 100, "nothing follows from what is not committed"
        await load.more(CUSTOMERS)
    assert more_than_once(service.trace.marks()) == {}


# What these tests share


@asynccontextmanager
async def _customers(service: Service, chance: random.Random) -> AsyncIterator[Load]:
    """Customers who order and insist; in the end all is checked that they have ordered."""
    async with Load([service.url], patient=True) as load:
        await service.start()
        async with load.busy(CUSTOMERS, chance):
            yield load
        await check_all(load, service.trace.marks())
        assert len(service.pids) == 1
        assert service.is_alive
        assert "Traceback" not in service.output


async def _says_that_it_is_away(service: Service, answers_at_once: bool = True) -> None:
    """The service is not ready, and says so wherever it would need its database."""
    bound = AT_ONCE if answers_at_once else PATIENCE
    async with httpx.AsyncClient(base_url=service.url, timeout=bound) as client:
        end = time.monotonic() + SOON + bound
        while (ready := await client.get("/health/ready")).status_code == 200:
            assert time.monotonic() < end, "it is still ready"
            await asyncio.sleep(0.02)
        posted = await client.post("/runs", json=A_RUN)
        found = await client.get("/runs")
        live = await client.get("/health/live")
    assert live.status_code == 200
    for response in (ready, posted, found):
        assert response.status_code == 503, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) >= 1
        assert "database" in response.json()["detail"]
