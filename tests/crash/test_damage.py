"""A damaged row: what it belongs to is said to be unreadable, and everything else goes on."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.crash import records
from tests.crash.load import Load
from tests.crash.orders import Order
from tests.crash.service import BOUND, Service, until

pytestmark = pytest.mark.crash

GARBAGE = b"\x00\xff garbage"

LONG = "a gate that is long enough to be stored by itself, and only once " * 10

Damage = Callable[[bytes], bytes]

damages = pytest.mark.parametrize(
    "damage",
    [lambda _: GARBAGE, lambda content: content[:-7], lambda c: c.replace(b"long", b"lost")],
    ids=["garbage", "cut", "another-word"],
)
"""What may have become of bytes; the last is what only a checksum tells."""


async def test_a_checkpoint_of_garbage_is_listed_and_said_to_be_unreadable(
    service: Service,
) -> None:
    order = Order("chain-0", "chain", 3)
    async with Load([service.url]) as load:
        await service.start()
        await load.carry_out(order)
        path = f"/runs/{order.run_id}/checkpoints"
        checkpoints = await load.every(path)
        _damage_checkpoint(service, checkpoints[2]["id"])

        assert await load.every(path) == checkpoints
        await _is_unreadable(service, "GET", f"/checkpoints/{checkpoints[2]['id']}")
        await _is_unreadable(service, "POST", f"/checkpoints/{checkpoints[2]['id']}/rerun")
        assert (await load.get(f"/checkpoints/{checkpoints[1]['id']}"))["seq"] == 2
        assert (await load.get(f"/runs/{order.run_id}"))["status"] == "completed"
        assert (await load.carry_out(Order("chain-1", "chain", 3)))["status"] == "completed"


@damages
async def test_a_checkpoint_whose_blob_is_damaged_is_listed_and_said_to_be_unreadable(
    service: Service, damage: Damage
) -> None:
    order = Order("chain-0", "chain", 3, gate=LONG)
    async with Load([service.url]) as load:
        await service.start()
        await load.carry_out(order)
        path = f"/runs/{order.run_id}/checkpoints"
        checkpoints = await load.every(path)
        _damage_blobs(service, damage)

        assert await load.every(path) == checkpoints
        await _is_unreadable(service, "GET", f"/checkpoints/{checkpoints[0]['id']}")
        await _is_unreadable(service, "POST", f"/checkpoints/{checkpoints[0]['id']}/rerun")
        assert (await load.carry_out(Order("chain-1", "chain", 3)))["status"] == "completed"


async def test_a_run_whose_head_is_damaged_fails_and_the_others_go_on(service: Service) -> None:
    gate = service.home / "gate"
    damaged, other = (Order(key, "hold", 1, gate=str(gate)) for key in ("damaged", "other"))
    waiting = Order("waiting", "approval", 1)
    async with Load([service.url]) as load:
        await service.start()
        for order in (damaged, other):
            await load.order(order)
            await service.reaches((order.key, "hold", 1))
        await load.order(waiting)
        await load.asked(waiting, 1)
        heads = [await _head(load, order) for order in (damaged, waiting)]
        service.kill()
        for head in heads:
            _damage_checkpoint(service, head)

        await service.start()
        gate.touch()
        assert (await load.ended(other))["status"] == "completed"
        await load.answer(waiting, 1)  # until then nobody takes up a run that only waits
        for order in (damaged, waiting):
            run = await load.ended(order)
            assert run["status"] == "failed"
            _is_a_sentence(run["error"]["message"])
        assert service.trace.began(("damaged", "hold", 1)) == 1
        assert load.surprises == []
        service.kill()
        await service.start()  # and it is not taken up again
        assert (await load.get(f"/runs/{damaged.run_id}"))["status"] == "failed"
        assert (await load.carry_out(Order("chain-1", "chain", 3)))["status"] == "completed"


async def test_a_message_that_is_damaged_fails_its_run_and_the_others_go_on(
    service: Service,
) -> None:
    damaged, other = (Order(key, "approval", 1) for key in ("damaged", "other"))
    async with Load([service.url]) as load:
        await service.start()
        for order in (damaged, other):
            await load.order(order)
            await load.asked(order, 1)
        service.kill()
        url = service.database_url
        records.execute(
            url,
            """INSERT INTO messages (id, run_id, event, created_at)
            SELECT id, id, ?, created_at FROM runs WHERE id = ?""",
            GARBAGE,
            records.as_id(url, damaged.run_id),
        )
        await service.start()
        run = await load.ended(damaged)
        assert run["status"] == "failed"
        _is_a_sentence(run["error"]["message"])
        await load.answer(other, 1)
        assert (await load.ended(other))["status"] == "completed"


async def test_a_run_whose_start_event_is_damaged_fails_and_is_listed(service: Service) -> None:
    gate = service.home / "gate"
    async with Load([service.url]) as load:
        await service.start()
        context = await load.context("hold", "a context")
        first, queued = (
            Order(key, "hold", 1, gate=str(gate), context=context) for key in ("first", "queued")
        )
        await load.order(first)
        await service.reaches(("first", "hold", 1))
        await load.order(queued)
        service.kill()
        url = service.database_url
        records.execute(
            url,
            "UPDATE runs SET start_event = ? WHERE id = ?",
            GARBAGE,
            records.as_id(url, queued.run_id),
        )
        await service.start()
        gate.touch()
        assert (await load.ended(first))["status"] == "completed"
        await until(lambda: _status(url, queued) == "failed", "the run fails")
        assert queued.run_id in {run["id"] for run in await load.every("/runs")}


# What these tests share


def _status(database_url: str, order: Order) -> object:
    query = "SELECT status FROM runs WHERE id = ?"
    return records.execute(database_url, query, records.as_id(database_url, order.run_id))[0][0]


async def _head(load: Load, order: Order) -> str:
    return str((await load.every(f"/runs/{order.run_id}/checkpoints"))[-1]["id"])


def _damage_checkpoint(service: Service, checkpoint_id: str) -> None:
    """Write garbage over all of its payloads."""
    url = service.database_url
    changed = records.execute(
        url,
        """UPDATE checkpoints SET delta = ?, whole = CASE WHEN whole IS NULL THEN NULL ELSE ? END
        WHERE id = ? RETURNING seq""",
        GARBAGE,
        GARBAGE,
        records.as_id(url, checkpoint_id),
    )
    assert len(changed) == 1


def _damage_blobs(service: Service, damage: Damage) -> None:
    """Have something become of all the bytes that are stored by themselves."""
    url = service.database_url
    blobs = records.execute(url, "SELECT digest, content FROM blobs")
    assert blobs
    for digest, content in blobs:
        statement = "UPDATE blobs SET content = ? WHERE digest = ?"
        records.execute(url, statement, damage(bytes(content)), digest)


async def _is_unreadable(service: Service, method: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=service.url, timeout=BOUND) as client:
        response = await client.request(method, path, json={} if method == "POST" else None)
    assert response.status_code == 500, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    _is_a_sentence(problem["detail"])


def _is_a_sentence(text: str) -> None:
    """It tells people what is damaged, and nothing of the code."""
    assert re.search("damaged|cannot be read|unreadable", text), text
    assert "Traceback" not in text
    assert ".py" not in text
