"""Space: what nobody needs any more is gone from the tables, and its room is there again."""

import os
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.api.asking import Cairn, Json, refused, serving
from tests.api.deleting import delete, execute, gone, literal, rows, until, value

pytestmark = pytest.mark.databases

HAULING = Path(__file__).parents[1] / "store" / "workflows"
LONG = "long " * 2_000
MEGABYTE = 1_000_000
TABLES = ("runs", "contexts", "checkpoints", "blobs", "blob_refs", "messages", "tags", "deletions")
KEPT = "SELECT count(*) FROM blobs WHERE length(content) > 1000000"


def empty(database: str) -> None:
    """Nothing is left in any table."""
    assert {table: rows(database, table) for table in TABLES} == dict.fromkeys(TABLES, 0)


def noise(size: int) -> str:
    """Text that cannot be pressed."""
    return os.urandom(size // 2).hex()


async def test_a_large_value_stays_while_a_run_or_a_context_refers_to_it(database: str) -> None:
    async with serving(database, HAULING) as cairn:
        runs = [await cairn.completed("haul", {"rests": [3]}) for _ in range(2)]
        stage = (await cairn.checkpoints(runs[0]))[1]
        rerun = await cairn.until(await cairn.rerun(stage), "completed")
        for run in (*runs, rerun):
            assert value(database, KEPT) == 1  # for all of them
            assert (await delete(cairn, "runs", run["id"])).status_code == 204
            await gone(database, "deletions")
        assert rows(database, "checkpoints") == 0
        assert value(database, KEPT) == 1  # for the contexts
        first, second = [run["context_id"] for run in runs]
        assert (await delete(cairn, "contexts", first)).status_code == 204
        again = await cairn.start("haul", {"rests": [3]}, second)
        assert (await cairn.until(again, "completed"))["result"] == 3
        assert (await delete(cairn, "runs", again["id"])).status_code == 204
        assert value(database, KEPT) == 1
        assert (await delete(cairn, "contexts", second)).status_code == 204
        empty(database)


async def test_a_value_that_its_context_has_let_go_of_is_gone_with_the_last_run(
    database: str,
) -> None:
    async with serving(database) as cairn:
        context = await cairn.context("joke")
        runs = [await cairn.completed("joke", {"topic": LONG}, context) for _ in range(3)]
        for run in runs:
            assert rows(database, "blobs") > 0
            assert (await cairn.get(f"/runs/{run['id']}"))["start_event"] == {"topic": LONG}
            assert (await delete(cairn, "runs", run["id"])).status_code == 204
        await gone(database, "blobs")
        assert (await cairn.get(f"/contexts/{context}"))["id"] == context


async def has_completed(cairn: Cairn, run: Json) -> bool:
    seen: Json = await cairn.get(f"/runs/{run['id']}")
    return str(seen["status"]) == "completed"


async def test_a_run_of_two_thousand_checkpoints_is_deleted_whole(database: str) -> None:
    async with serving(database) as cairn:
        context = await cairn.context("scatter")
        kept = await cairn.completed("scatter", {"width": 2}, context)
        run = await cairn.start("scatter", {"width": 1_000}, context)
        await until(lambda: has_completed(cairn, run))
        last = (await cairn.get(f"/runs/{run['id']}/checkpoints", limit=1000))["items"][-1]
        assert rows(database, "checkpoints") >= 2_000
        assert (await delete(cairn, "runs", run["id"])).status_code == 204
        refused(await cairn.http.get(f"/checkpoints/{last['id']}"), 404)
        refused(await cairn.http.post(f"/checkpoints/{last['id']}/rerun"), 404)
        refused(await cairn.http.get(f"/runs/{run['id']}/checkpoints"), 404)
        page = await cairn.get(f"/contexts/{context}/checkpoints", limit=1000)
        assert page["items"] == await cairn.checkpoints(kept)
        assert page["next_cursor"] is None
        await gone(database, "deletions")
        assert rows(database, "checkpoints") == len(page["items"])


async def test_a_deletion_that_was_cut_short_is_hidden_and_finished_at_the_next_start(
    database: str,
) -> None:
    async with serving(database) as cairn:
        context = await cairn.context("joke")
        runs = [await cairn.completed("joke", {"topic": f"{n} {LONG}"}, context) for n in range(3)]
        wide = await cairn.completed("scatter", {"width": 300})
        left_behind = [await cairn.checkpoints(run) for run in runs]
    for run in (*runs[:2], wide):
        id_ = literal(database, run)
        execute(
            database,
            f"DELETE FROM runs WHERE id = {id_}",
            f"INSERT INTO deletions (run_id) VALUES ({id_})",
        )
    # One had got half way.
    execute(database, f"DELETE FROM checkpoints WHERE id = {literal(database, left_behind[0][2])}")
    async with serving(database) as cairn:
        for run, checkpoints in zip(runs[:2], left_behind[:2], strict=True):
            refused(await cairn.http.get(f"/runs/{run['id']}"), 404)
            refused(await cairn.http.get(f"/checkpoints/{checkpoints[0]['id']}"), 404)
            refused(await cairn.http.post(f"/checkpoints/{checkpoints[1]['id']}/rerun"), 404)
            late = f"/checkpoints/{checkpoints[1]['id']}/tags"
            refused(await cairn.http.put(late, json={"tags": ["late"]}), 404)
        listed = await cairn.get(f"/contexts/{context}/checkpoints", include="events")
        assert [c["id"] for c in listed["items"]] == [c["id"] for c in left_behind[2]]
        await gone(database, "deletions")
        assert rows(database, "checkpoints") == 3
        assert (await cairn.get(f"/runs/{runs[2]['id']}"))["start_event"] == {"topic": f"2 {LONG}"}
        for what in (context, wide["context_id"]):
            assert (await delete(cairn, "contexts", what)).status_code == 204
        empty(database)


async def test_what_is_left_of_a_deleted_run_is_shown_to_nobody(
    cairn: Cairn, database: str
) -> None:
    run = await cairn.completed("joke", {"topic": LONG})
    checkpoints = await cairn.checkpoints(run)
    id_ = literal(database, run)
    execute(
        database,
        f"DELETE FROM runs WHERE id = {id_}",
        f"INSERT INTO deletions (run_id) VALUES ({id_})",
    )
    for _ in range(2):
        for checkpoint in checkpoints[1:]:
            refused(await cairn.http.get(f"/checkpoints/{checkpoint['id']}"), 404)
            refused(await cairn.http.post(f"/checkpoints/{checkpoint['id']}/rerun"), 404)
        # Half way, what the others stand on has gone.
        execute(database, f"DELETE FROM checkpoints WHERE id = {literal(database, checkpoints[0])}")


async def haul(cairn: Cairn) -> list[Json]:
    """Runs with four megabytes of which nothing is alike."""
    return [await cairn.completed("joke", {"topic": noise(MEGABYTE)}) for _ in range(4)]


async def test_the_file_gets_smaller_or_the_room_is_used_again(database: str) -> None:
    async with serving(database) as cairn:
        first = await cairn.completed("joke", {"topic": "math"})
        runs = await haul(cairn)
        full = size(database)
        assert full > 4 * MEGABYTE
        for run in runs:
            assert (await delete(cairn, "contexts", run["context_id"])).status_code == 204
        if database.startswith("sqlite"):

            async def is_small() -> bool:
                return size(database) < 0.25 * full

            await until(is_small)
        else:
            execute(database, "VACUUM")
        again = await haul(cairn)
        assert size(database) < (2 if database.startswith("sqlite") else 1.5) * full
        assert (await cairn.get(f"/runs/{first['id']}"))["start_event"] == {"topic": "math"}
        assert len(await cairn.checkpoints(again[0])) == 3


def size(database: str) -> int:
    """Bytes of the file, or of the tables with all that belongs to them."""
    file = make_url(database).database
    if database.startswith("sqlite"):
        assert file is not None
        return os.path.getsize(file)
    return value(
        database,
        "SELECT sum(pg_total_relation_size(oid)) FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
    )


async def test_a_large_run_is_deleted_in_a_few_commits(database: str) -> None:
    beats = "SELECT sum(beats) FROM workers"  # one for each commit
    async with serving(database) as cairn:
        run = await cairn.completed("joke", {"topic": noise(MEGABYTE)})
        before = value(database, beats)
        assert (await delete(cairn, "contexts", run["context_id"])).status_code == 204
        await gone(database, "blobs")
        assert value(database, beats) - before < 20
