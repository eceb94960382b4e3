"""The bytes of a checkpoint do not grow.

Neither with the steps before, nor with state that the step did not touch, nor with the width of a
fan-out.
"""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlmodel import Session

from cairn.engine.ids import new_id
from cairn.store import blobs
from cairn.store.blobs import Packer, Unpacker
from cairn.store.database import Database
from tests.api.asking import Cairn, Json, serving

WORKFLOWS = Path(__file__).with_name("workflows")
MOST = 2_048
"""Bytes for a checkpoint, with its part of the indexes."""


def size(url: str) -> int:
    """Bytes that the database uses."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            found = connection.scalar(sa.text("SELECT pg_database_size(current_database())"))
        else:
            pages, free, each = (
                connection.scalar(sa.text(f"PRAGMA {name}"))
                for name in ("page_count", "freelist_count", "page_size")
            )
            found = (pages - free) * each
    engine.dispose()
    return int(found)


async def rested(cairn: Cairn, run: Json, at: int) -> int:
    """Wait until the run rests there; how many checkpoints it has."""
    async with asyncio.timeout(60):
        while True:
            seen: Json = await cairn.get(f"/runs/{run['id']}")
            assert seen["status"] in {"queued", "running", "waiting"}, seen
            if seen["status"] == "waiting" and seen["checkpoint_count"] >= at:
                return int(seen["checkpoint_count"])
            await asyncio.sleep(0.05)


async def test_a_checkpoint_at_step_10_000_costs_what_one_at_step_10_costs(
    database_url: str,
) -> None:
    rests = [10, 110, 9_900, 10_000]
    async with serving(database_url, WORKFLOWS) as cairn:
        run = await cairn.start("haul", {"rests": [*rests, 10_001]})
        stood = []
        for rest in rests:
            count = await rested(cairn, run, rest)
            stood.append((count, size(database_url)))
            await cairn.tell(run, "GoOn", number=rest)
        assert (await cairn.until(run, "completed"))["result"] == 10_001
    costs = [
        (after - before) / (last - first) for (first, before), (last, after) in pairwise(stood)
    ]
    assert all(cost <= MOST for cost in costs), costs


async def test_a_fan_out_of_a_thousand_costs_no_more_for_each_checkpoint(
    database_url: str,
) -> None:
    async with serving(database_url, WORKFLOWS) as cairn:
        await cairn.until(await cairn.start("spread", {"width": 1}), "completed")
        before = size(database_url)
        run = await cairn.until(await cairn.start("spread", {"width": 1_000}), "completed")
        assert run["result"] == 1_000
        assert run["checkpoint_count"] > 2_000
        cost = (size(database_url) - before) / run["checkpoint_count"]
    assert cost <= MOST


async def test_a_list_in_the_state_costs_at_each_step_what_is_added_to_it(
    database_url: str,
) -> None:
    async with serving(database_url, WORKFLOWS) as cairn:
        before = size(database_url)
        run = await cairn.start("hoarding", {"times": 60, "each": 50_000})
        assert (await cairn.until(run, "completed"))["result"] == 60
        checkpoints = await cairn.checkpoints(run)
        middle = await cairn.get(f"/checkpoints/{checkpoints[30]['id']}")
        assert len(middle["ctx_state"]["globals"]["kept"]) == 30
        # Kept whole at each change, it would be thirty times as much.
        assert size(database_url) - before <= 2 * 60 * 50_000
        rerun = await cairn.until(await cairn.rerun(checkpoints[30]), "completed")
        assert rerun["result"] == 60


@pytest.mark.parametrize(
    "value",
    [
        {"$blob": "0" * 64},
        {"$parts": []},
        [{"$parts": ["long " * 1_000]}, {"$blob": "x"}] * 3,
        {"deep": [{"deeper": [["long " * 500] * 9]}] * 5, "$blob": 1},
        [["long " * 200] * 5] * 5,
        {"$parts": {"a": "long " * 2_000, "b": "long " * 2_000}},
    ],
    ids=str,
)
async def test_what_is_kept_part_by_part_is_read_as_it_was_written(
    database: Database, value: Json
) -> None:
    packer, owner = Packer(), new_id()
    payload = packer.state({"key": value})

    def stored(session: Session) -> Json:
        blobs.store(session.connection(), {owner: packer.gathered()})
        return Unpacker(session, [payload]).state(payload)

    assert await database.write(stored) == {"key": value}
