"""What deleting gives back: every row and every byte, but for what others refer to."""

import asyncio
from pathlib import Path

import pytest

from tests.api.asking import Cairn, Json, refused, serving, steps
from tests.api.looking import TABLES, ask, counts, size, until

pytestmark = pytest.mark.databases

NOTHING = dict.fromkeys(TABLES, 0)


async def gone(cairn: Cairn, path: str) -> None:
    """Delete it, and see that it is gone."""
    response = await cairn.http.delete(path)
    assert (response.status_code, response.content) == (204, b"")
    refused(await cairn.http.get(path), 404)


async def test_a_context_that_is_deleted_leaves_nothing(database_url: str) -> None:
    async with serving(database_url) as cairn:
        context = await cairn.context("hoard")
        for letter in "ab":
            await cairn.completed("hoard", {"letter": letter}, context)
        await gone(cairn, f"/contexts/{context}")
        refused(await cairn.http.get(f"/contexts/{context}/checkpoints"), 404)
        refused(await cairn.http.delete(f"/contexts/{context}"), 404)
        assert (await cairn.get("/runs"))["items"] == []
    assert counts(database_url) == NOTHING


async def test_a_rerun_that_has_not_ended_goes_on_without_the_run_it_came_from(
    cairn: Cairn,
) -> None:
    source = await cairn.until(await cairn.start("mid_step", {"amount": 7}), "waiting")
    rerun = await cairn.rerun((await cairn.checkpoints(source))[0])
    await cairn.until(rerun, "waiting")
    await cairn.http.post(f"/runs/{source['id']}/cancel")
    await gone(cairn, f"/runs/{source['id']}")
    await cairn.tell(rerun, "Verdict", approved=True)
    assert (await cairn.ended(rerun))["result"] == "7 paid"


async def test_what_runs_share_goes_with_the_last_of_them(database_url: str) -> None:
    async with serving(database_url) as cairn:
        first, second = [await cairn.completed("hoard", {"letter": "s"}) for _ in range(2)]
        shared = counts(database_url)["blobs"]
        assert shared == 1, "equal values are kept once"
        await gone(cairn, f"/contexts/{first['context_id']}")
        assert counts(database_url)["blobs"] == shared
        last = (await cairn.checkpoints(second))[-1]
        whole = await cairn.get(f"/checkpoints/{last['id']}")
        assert whole["ctx_state"]["globals"]["value"] == "s" * 50_000
        await gone(cairn, f"/contexts/{second['context_id']}")
        assert counts(database_url) == NOTHING


async def test_what_a_context_holds_stays_without_the_run_that_left_it(database_url: str) -> None:
    async with serving(database_url) as cairn:
        context = await cairn.context("hoard")
        run = await cairn.completed("hoard", {"letter": "c"}, context)
        await gone(cairn, f"/runs/{run['id']}")
        assert counts(database_url)["blobs"] == 1
        second = await cairn.completed("hoard", {"letter": "d"}, context)
        assert counts(database_url)["blobs"] == 2, "it began with the value before"
        await gone(cairn, f"/runs/{second['id']}")
        assert counts(database_url)["blobs"] == 1


async def test_a_long_run_is_deleted_whole(database_url: str) -> None:
    async with serving(database_url) as cairn:
        run = await cairn.completed("hoard", {"rounds": 1_200})
        assert run["checkpoint_count"] == 1_203
        await gone(cairn, f"/runs/{run['id']}")
        left = counts(database_url)
    assert left["contexts"] == 1
    assert left["checkpoints"] == left["deletions"] == left["runs"] == 0


async def test_a_file_gets_smaller(tmp_path: Path) -> None:
    file = tmp_path / "cairn.db"
    async with serving(f"sqlite:///{file}") as cairn:
        runs = [
            await cairn.completed("hoard", {"letter": letter, "size": 3_000_000})
            for letter in "abcd"
        ]
        large = size(file)
        for run in runs:
            await gone(cairn, f"/contexts/{run['context_id']}")
    assert large > 12_000_000
    assert size(file) < 1_000_000


async def test_a_deletion_that_was_cut_short_is_finished_at_the_next_start(
    database_url: str,
) -> None:
    async with serving(database_url) as cairn:
        await cairn.completed("hoard", {"letter": "z"})
    ask(database_url, "INSERT INTO deletions SELECT id FROM runs")
    ask(database_url, "DELETE FROM runs")
    async with serving(database_url):
        await until(lambda: not counts(database_url)["deletions"])
    left = counts(database_url)
    assert (left["checkpoints"], left["contexts"]) == (0, 1)


async def test_many_who_delete_and_rerun_at_once_are_answered_clearly(cairn: Cairn) -> None:
    run = await cairn.completed("hoard", {"letter": "m"})
    origin = (await cairn.checkpoints(run))[1]

    async def delete() -> int:
        return (await cairn.http.delete(f"/runs/{run['id']}")).status_code

    async def rerun() -> Json | None:
        response = await cairn.http.post(f"/checkpoints/{origin['id']}/rerun")
        if response.status_code == 404:
            return None
        assert response.status_code == 202, response.text
        made: Json = response.json()
        return made

    reruns, deletes = await asyncio.gather(
        asyncio.gather(*(rerun() for _ in range(20))),
        asyncio.gather(*(delete() for _ in range(5))),
    )
    assert sorted(deletes) == [204, 404, 404, 404, 404]
    for made in filter(None, reruns):
        assert (await cairn.ended(made))["result"] == 50_000
        assert steps(await cairn.checkpoints(made))[0] == "go_round"
