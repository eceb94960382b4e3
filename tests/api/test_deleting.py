"""What is deleted: runs and contexts by request, and by age, count and status; what is kept."""

import asyncio
from typing import Any

import pytest

from tests.api.asking import NOBODY, Cairn, refused, serving
from tests.api.deleting import delete, gone, ids, prune, rows, tag, until

pytestmark = pytest.mark.databases

LONG = "long " * 2_000


# By request


async def test_a_deleted_run_is_nowhere_any_more(cairn: Cairn) -> None:
    run, other = [await cairn.completed("joke", {"topic": LONG}) for _ in range(2)]
    checkpoints = await cairn.checkpoints(run)
    response = await delete(cairn, "runs", run["id"])
    assert (response.status_code, response.content) == (204, b"")
    for path in ("", "/checkpoints"):
        refused(await cairn.http.get(f"/runs/{run['id']}{path}"), 404)
    for checkpoint in checkpoints:
        refused(await cairn.http.get(f"/checkpoints/{checkpoint['id']}"), 404)
        refused(await cairn.http.post(f"/checkpoints/{checkpoint['id']}/rerun"), 404)
    assert await ids(cairn) == {other["id"]}
    page = await cairn.get(f"/contexts/{run['context_id']}/checkpoints")
    assert page["items"] == []
    refused(await delete(cairn, "runs", run["id"]), 404)


@pytest.mark.parametrize("what", ["runs", "contexts"])
async def test_what_is_not_there_cannot_be_deleted(cairn: Cairn, what: str) -> None:
    refused(await delete(cairn, what, NOBODY), 404)


async def test_a_run_that_waits_is_deleted_only_once_it_is_cancelled(cairn: Cairn) -> None:
    run = await cairn.start("approval", {"amount": 7})
    await cairn.until(run, "waiting")
    refused(await delete(cairn, "runs", run["id"]), 409, "cancel")
    refused(await delete(cairn, "contexts", run["context_id"]), 409, "cancel")
    assert (await cairn.get(f"/runs/{run['id']}"))["status"] == "waiting"
    await cairn.http.post(f"/runs/{run['id']}/cancel")
    await cairn.until(run, "cancelled")
    assert (await delete(cairn, "runs", run["id"])).status_code == 204


async def test_a_context_goes_with_all_its_runs(cairn: Cairn) -> None:
    context = await cairn.context("counter")
    runs = [await cairn.completed("counter", {"by": 1}, context) for _ in range(3)]
    other = await cairn.completed("counter", {"by": 1})
    assert (await delete(cairn, "contexts", context)).status_code == 204
    for path in (context, f"{context}/checkpoints"):
        refused(await cairn.http.get(f"/contexts/{path}"), 404)
    for run in runs:
        refused(await cairn.http.get(f"/runs/{run['id']}"), 404)
    assert await ids(cairn) == {other["id"]}
    refused(await delete(cairn, "contexts", context), 404)
    start = {"workflow": "counter", "start_event": {}, "context_id": context}
    assert (await cairn.http.post("/runs", json=start)).status_code in {404, 422}


async def test_an_empty_context_is_deleted(cairn: Cairn) -> None:
    assert (await delete(cairn, "contexts", await cairn.context("joke"))).status_code == 204


async def test_a_rerun_does_not_need_the_run_it_came_from(cairn: Cairn) -> None:
    run = await cairn.completed("scatter", {"width": 4})
    rerun = await cairn.until(await cairn.rerun((await cairn.checkpoints(run))[3]), "completed")
    assert (await delete(cairn, "runs", run["id"])).status_code == 204
    assert (await cairn.get(f"/runs/{rerun['id']}"))["result"] == [0, 1, 2, 3]
    for checkpoint in (await cairn.checkpoints(rerun))[:-1]:
        assert "ctx_state" in await cairn.get(f"/checkpoints/{checkpoint['id']}")
        again = await cairn.until(await cairn.rerun(checkpoint), "completed")
        assert again["result"] == [0, 1, 2, 3]


async def test_deleted_and_rerun_at_the_same_moment_it_is_one_or_the_other(cairn: Cairn) -> None:
    for _ in range(8):
        run = await cairn.completed("joke", {"topic": LONG})
        checkpoint = (await cairn.checkpoints(run))[1]
        deleted, rerun = await asyncio.gather(
            delete(cairn, "runs", run["id"]),
            cairn.http.post(f"/checkpoints/{checkpoint['id']}/rerun"),
        )
        assert deleted.status_code in {204, 409}
        if rerun.status_code == 202:
            ended = await cairn.until(rerun.json(), "completed")
            assert ended["result"] == f"a critique of a joke about {LONG}"
        else:
            refused(rerun, 404)


async def test_of_many_who_delete_a_run_one_has_deleted_it(cairn: Cairn) -> None:
    run = await cairn.completed("scatter", {"width": 20})
    answers = await asyncio.gather(*(delete(cairn, "runs", run["id"]) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7


# What nobody needs is swept


async def test_a_blob_stays_while_anyone_refers_to_it(cairn: Cairn, database: str) -> None:
    first, second = [await cairn.completed("joke", {"topic": LONG}) for _ in range(2)]
    assert rows(database, "blobs")
    await delete(cairn, "contexts", first["context_id"])
    for checkpoint in await cairn.checkpoints(second, include="events"):
        await cairn.get(f"/checkpoints/{checkpoint['id']}")
    assert (await cairn.get(f"/runs/{second['id']}"))["start_event"] == {"topic": LONG}
    await delete(cairn, "contexts", second["context_id"])
    for table in ("checkpoints", "blobs"):
        await gone(database, table)


# Tags


async def test_what_is_tagged_is_kept_until_its_tags_are_taken_off(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    checkpoint = (await cairn.checkpoints(run))[1]
    assert checkpoint["tags"] == []
    assert (await tag(cairn, checkpoint, "good", "best"))["tags"] == ["best", "good"]
    assert [c["tags"] for c in await cairn.checkpoints(run)] == [[], ["best", "good"], []]
    assert (await cairn.get(f"/checkpoints/{checkpoint['id']}"))["tags"] == ["best", "good"]
    for what, id_ in (("runs", run["id"]), ("contexts", run["context_id"])):
        refused(await delete(cairn, what, id_), 409, "tag")
    assert (await tag(cairn, checkpoint, "good", "good"))["tags"] == ["good"]
    assert (await tag(cairn, checkpoint))["tags"] == []
    assert (await delete(cairn, "runs", run["id"])).status_code == 204


@pytest.mark.parametrize(
    "tags", [[""], ["x" * 101], [f"{n}" for n in range(21)], [1], "good", None]
)
async def test_tags_that_cannot_be_are_refused(cairn: Cairn, tags: Any) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    path = f"/checkpoints/{(await cairn.checkpoints(run))[0]['id']}/tags"
    refused(await cairn.http.put(path, json={"tags": tags}), 422)


async def test_what_is_not_there_cannot_be_tagged(cairn: Cairn) -> None:
    refused(await cairn.http.put(f"/checkpoints/{NOBODY}/tags", json={"tags": ["a"]}), 404)


async def test_tagged_and_deleted_at_the_same_moment_it_is_one_or_the_other(cairn: Cairn) -> None:
    for _ in range(8):
        run = await cairn.completed("joke", {"topic": "math"})
        checkpoint = (await cairn.checkpoints(run))[1]
        path = f"/checkpoints/{checkpoint['id']}/tags"
        deleted, tagged = await asyncio.gather(
            delete(cairn, "runs", run["id"]), cairn.http.put(path, json={"tags": ["good"]})
        )
        assert (deleted.status_code, tagged.status_code) in {(204, 404), (409, 200)}


# By age, count and status


async def test_pruning_dry_says_what_would_go_and_takes_nothing(database: str) -> None:
    async with serving(database) as cairn:
        runs = [await cairn.completed("joke", {"topic": LONG}) for _ in range(3)]
        dry = await prune(database, "--runs", "1", "--dry-run")
        assert dry.exit_code == 0, dry.stderr
        for word in ("2 runs", "2 contexts", "6 checkpoints"):
            assert word in dry.stdout
        assert await ids(cairn) == {run["id"] for run in runs}
        assert (await prune(database, "--runs", "1")).exit_code == 0
        assert await ids(cairn) == {runs[-1]["id"]}
        assert rows(database, "contexts") == 1
        assert await cairn.until(
            await cairn.rerun((await cairn.checkpoints(runs[-1]))[1]), "completed"
        )


async def test_pruning_keeps_what_goes_on_what_is_tagged_and_other_statuses(database: str) -> None:
    async with serving(database) as cairn:
        goes = await cairn.completed("joke", {"topic": "math"})
        tagged = await cairn.completed("joke", {"topic": "math"})
        await tag(cairn, (await cairn.checkpoints(tagged))[0], "good")
        waiting = await cairn.start("approval", {"amount": 7})
        await cairn.until(waiting, "waiting")
        failed = await cairn.ended(await cairn.start("failing", {"fault": "disk"}))
        pruned = await prune(database, "--days", "0", "--status", "completed")
        assert pruned.exit_code == 0, pruned.stderr
        assert await ids(cairn) == {tagged["id"], waiting["id"], failed["id"]}
        assert (await prune(database, "--days", "1")).exit_code == 0
        assert len(await ids(cairn)) == 3
        assert goes["id"] not in await ids(cairn)


async def test_pruning_with_nothing_set_says_what_to_give(database: str) -> None:
    async with serving(database):
        for words in ([], ["--status", "failed"], ["--dry-run"]):
            answer = await prune(database, *words)
            assert answer.exit_code == 2, words
            assert "--days" in answer.stderr
            assert "--runs" in answer.stderr
    assert (await prune(database, "--days", "0", "--status", "waiting")).exit_code == 2


async def test_the_service_prunes_by_its_settings(database: str) -> None:
    async with serving(database, retain_runs=1, prune_every_seconds=1) as cairn:
        for _ in range(3):
            last = await cairn.completed("joke", {"topic": "math"})

        async def is_alone() -> bool:
            return await ids(cairn) == {last["id"]}

        await until(is_alone)
