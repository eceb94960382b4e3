"""Storage: the bytes that a run takes alone, and those that it shares."""

import hashlib

import pytest

from tests.api.asking import NOBODY, Cairn, Json, refused
from tests.api.deleting import delete, execute, gone, literal
from tests.api.looking import ask

pytestmark = pytest.mark.databases(seldom=True)

LONG = "long " * 2_000
PAYLOADS = {
    "runs": ("id", ["start_event", "stop_event", "waiting_for", "base"]),
    "messages": ("run_id", ["event"]),
    "checkpoints": ("run_id", ["input_event", "output_event", "delta", "whole", "fact"]),
    "stream": ("run_id", ["payload"]),
}


async def storage(cairn: Cairn, run: Json) -> Json:
    found: Json = await cairn.get(f"/runs/{run['id']}/storage")
    return found


def counted(database: str, run: Json) -> Json:
    """The same, from all bytes of the run, read."""
    id_ = literal(database, run)
    rows = 0
    for table, (key, names) in PAYLOADS.items():
        found = ask(database, f"SELECT {', '.join(names)} FROM {table} WHERE {key} = {id_}")
        rows += sum(len(bytes(it)) for row in found for it in row if isinstance(it, bytes))
    blobs: dict[bool, list[int]] = {False: [], True: []}
    refs = ask(database, "SELECT owner_id, digest FROM blob_refs")
    mine = {bytes.fromhex(run["id"].replace("-", "")), run["id"]}
    contents = {bytes(c): len(bytes(c)) for (c,) in ask(database, "SELECT content FROM blobs")}  # type: ignore[call-overload]
    sizes = {hashlib.sha256(content).digest(): size for content, size in contents.items()}
    for owner, digest in refs:
        if (owner if isinstance(owner, bytes) else str(owner)) in mine:
            others = [o for o, d in refs if d == digest and o != owner]
            blobs[bool(others)].append(sizes[bytes(digest)])  # type: ignore[call-overload]
    checkpoints = ask(database, f"SELECT count(*) FROM checkpoints WHERE run_id = {id_}")
    return {
        "checkpoint_count": checkpoints[0][0],
        "row_bytes": rows,
        "own_bytes": rows + sum(blobs[False]),
        "own_blobs": len(blobs[False]),
        "shared_bytes": sum(blobs[True]),
        "shared_blobs": len(blobs[True]),
    }


async def test_a_run_takes_the_bytes_of_its_payloads(cairn: Cairn, database: str) -> None:
    for run in (
        await cairn.completed("counter"),
        await cairn.completed("joke", {"topic": LONG}),
        await cairn.completed("hoard", {"size": 20_000}),
        await cairn.until(await cairn.start("mid_step", {"amount": 1}), "waiting"),
        await cairn.ended(await cairn.start("failing", {"fault": "disk"})),
    ):
        found = await storage(cairn, run)
        assert found == counted(database, run)
        assert found["checkpoint_count"] == run["checkpoint_count"]


async def test_a_long_event_is_a_runs_own_until_it_is_rerun(cairn: Cairn, database: str) -> None:
    run = await cairn.completed("joke", {"topic": LONG})
    alone = await storage(cairn, run)
    assert alone["own_bytes"] > len(LONG) > alone["row_bytes"]
    assert (alone["shared_bytes"], alone["shared_blobs"]) == (0, 0)
    rerun = await cairn.until(await cairn.rerun((await cairn.checkpoints(run))[0]), "completed")
    both = [await storage(cairn, it) for it in (run, rerun)]
    assert both == [counted(database, it) for it in (run, rerun)]
    assert all(it["shared_bytes"] > len(LONG) for it in both)
    assert both[0]["own_bytes"] + both[0]["shared_bytes"] == alone["own_bytes"]
    assert (await delete(cairn, "runs", run["id"])).status_code == 204
    await gone(database, "deletions")
    left = await storage(cairn, rerun)
    assert (left["shared_blobs"], left) == (0, counted(database, rerun))
    assert left["own_bytes"] == both[1]["own_bytes"] + both[1]["shared_bytes"]


async def test_a_state_that_its_context_keeps_is_shared(cairn: Cairn) -> None:
    found = await storage(cairn, await cairn.completed("hoard", {"size": 20_000}))
    assert (found["own_blobs"], found["shared_blobs"]) == (0, 1)
    assert found["shared_bytes"] == 20_002


async def test_a_damaged_run_still_tells_its_bytes(cairn: Cairn, database: str) -> None:
    run = await cairn.completed("joke", {"topic": LONG})
    before = await storage(cairn, run)
    garbage = "x'00ff'" if database.startswith("sqlite") else r"'\x00ff'"
    execute(database, f"UPDATE blobs SET content = {garbage}")
    found = await storage(cairn, run)
    assert found["own_bytes"] == found["row_bytes"] + 2 * found["own_blobs"]
    assert found["row_bytes"] == before["row_bytes"]


async def test_what_is_not_there_takes_no_bytes(cairn: Cairn) -> None:
    refused(await cairn.http.get(f"/runs/{NOBODY}/storage"), 404, NOBODY)


async def test_a_parameter_is_refused(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    response = await cairn.http.get(f"/runs/{run['id']}/storage", params={"unit": "kB"})
    assert refused(response, 422)["errors"][0]["where"] == ["query", "unit"]
