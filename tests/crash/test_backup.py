"""`cairn db backup` while the service is at work: the copy is whole, and goes on by itself."""

import asyncio
import sqlite3
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import UUID

import pytest

from tests.command import BOUND, CAIRN
from tests.crash.conftest import Start
from tests.crash.load import Load
from tests.crash.orders import Order
from tests.crash.service import Service

pytestmark = pytest.mark.crash


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_copy_holds_all_that_was_accepted_and_its_runs_go_on(
    service: Service, serve_at: Start
) -> None:
    copies: list[tuple[Path, list[Order]]] = []
    async with Load([service.url]) as load, asyncio.TaskGroup() as group:
        await service.start()
        group.create_task(load.customers(6, _orders()))
        for number in range(2):
            await load.more(6)
            accepted = list(load.ordered)
            file = service.home / f"copy-{number}.db"
            await asyncio.to_thread(_back_up, service.database_url, file)
            copies.append((file, accepted))
        load.close()
    service.kill()
    for file, accepted in copies:
        missing = {order.run_id for order in accepted} - _runs(file)
        assert missing == set()
    assert not list(service.home.glob("*.part"))

    file, accepted = copies[-1]
    copy = serve_at(f"sqlite:///{file}")
    await copy.start()
    async with Load([copy.url]) as load:
        for order in accepted:
            run = await load.ended(order)
            assert (run["status"], run["result"]) == ("completed", order.result(1))


def _orders() -> Iterator[Order]:
    for number in count():
        yield Order(f"run-{number}", ("chain", "fan", "counter")[number % 3], 5, pause=0.05)


def _back_up(url: str, file: Path) -> None:
    command = [str(CAIRN), "db", "backup", str(file), "--database-url", url]
    told = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=False)
    assert told.returncode == 0, told.stderr


def _runs(file: Path) -> set[str]:
    """The runs in a database that is sound."""
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = [row[0] for row in database.execute("SELECT id FROM runs")]
    database.close()
    return {str(UUID(bytes=id) if isinstance(id, bytes) else UUID(id)) for id in found}
