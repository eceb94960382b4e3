"""Deleting while others start, rerun, tag and delete the same: it is one or the other, for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.api import gates
from tests.api.asking import Cairn, refused, serving
from tests.api.deleting import delete, execute, gone, rows, tag

pytestmark = pytest.mark.databases

LONG = "long " * 2_000


ELSEWHERE = {
    "sqlite": [
        "CREATE TRIGGER elsewhere AFTER INSERT ON workers BEGIN "
        "UPDATE workers SET host = hex(NEW.id) WHERE id = NEW.id; END"
    ],
    "postgresql": [
        "CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.host = NEW.id::text; RETURN NEW; END $$",
        "CREATE TRIGGER elsewhere BEFORE INSERT ON workers "
        "FOR EACH ROW EXECUTE FUNCTION elsewhere()",
    ],
}
"""Those who start from now on are each on a host of their own."""


@asynccontextmanager
async def two_services(database: str) -> AsyncIterator[tuple[Cairn, Cairn]]:
    """Two services on one database, which appear to be on two hosts.

    On one host, two services with one process id would take each other for dead.
    """
    async with serving(database):
        execute(database, *ELSEWHERE["sqlite" if database.startswith("sqlite") else "postgresql"])
    async with serving(database) as one, serving(database) as other:
        yield one, other


async def test_what_goes_on_is_not_deleted_whether_queued_or_running(cairn: Cairn) -> None:
    context = await cairn.context("slow")
    running = await cairn.start("slow", {"gate": "north"}, context)
    queued = await cairn.start("slow", {"gate": "north"}, context)
    await gates.reached("north")
    for run, status in ((running, "running"), (queued, "queued")):
        assert (await cairn.get(f"/runs/{run['id']}"))["status"] == status
        detail = refused(await delete(cairn, "runs", run["id"]), 409)["detail"]
        assert f"POST /runs/{run['id']}/cancel" in detail
    refused(await delete(cairn, "contexts", context), 409, "cancel")
    gates.open_gate("north")
    for run in (running, queued):
        assert (await cairn.until(run, "completed"))["result"] == "through north"
    assert (await delete(cairn, "runs", running["id"])).status_code == 204
    assert (await cairn.get(f"/runs/{queued['id']}"))["status"] == "completed"
    assert (await delete(cairn, "contexts", context)).status_code == 204


async def test_what_was_just_accepted_is_there_for_who_deletes_it(cairn: Cairn) -> None:
    for _ in range(10):
        run = await cairn.start("joke", {"topic": "math"})
        answer = await delete(cairn, "runs", run["id"])
        assert answer.status_code in {204, 409}, answer.text
        if answer.status_code == 409:
            await cairn.until(run, "completed")
            assert (await delete(cairn, "runs", run["id"])).status_code == 204
        refused(await cairn.http.get(f"/runs/{run['id']}"), 404)


async def test_many_who_delete_rerun_look_and_tag_at_once(cairn: Cairn, database: str) -> None:
    for _ in range(4):
        run = await cairn.completed("joke", {"topic": LONG})
        start, joke, _ = await cairn.checkpoints(run)

        http = cairn.http
        reruns = [http.post(f"/checkpoints/{c['id']}/rerun") for c in (start, joke) * 6]
        looks = [http.get(f"/checkpoints/{joke['id']}") for _ in range(6)]
        looks += [http.get(f"/runs/{run['id']}/checkpoints?include=events") for _ in range(6)]
        tags = [
            http.put(f"/checkpoints/{joke['id']}/tags", json={"tags": words})
            for words in (["good"], []) * 3
        ]
        deletes = [delete(cairn, "runs", run["id"]) for _ in range(6)]
        mixed = [each for some in zip(reruns, looks, tags, deletes, strict=False) for each in some]
        answers = await asyncio.gather(*mixed, *reruns[6:], *looks[6:])
        for answer in answers:
            assert answer.status_code in {200, 202, 204, 404, 409}, answer.text
            if answer.status_code >= 400:
                refused(answer, answer.status_code)
        assert sum(answer.status_code == 204 for answer in answers) <= 1
        for answer in answers:
            if answer.status_code == 202:
                ended = await cairn.until(answer.json(), "completed")
                assert ended["result"] == f"a critique of a joke about {LONG}"
        if (await http.get(f"/runs/{run['id']}")).status_code == 200:
            await tag(cairn, joke)
        assert (await delete(cairn, "contexts", run["context_id"])).status_code == 204
    for table in ("checkpoints", "blobs", "deletions"):
        await gone(database, table)


async def test_a_context_deleted_while_a_run_is_started_in_it(cairn: Cairn) -> None:
    for _ in range(8):
        context = await cairn.context("joke")
        run = await cairn.completed("joke", {"topic": "math"}, context)
        body = {"workflow": "joke", "start_event": {"topic": "math"}, "context_id": context}
        joke = (await cairn.checkpoints(run))[1]
        started, deleted, rerun = await asyncio.gather(
            cairn.http.post("/runs", json=body),
            delete(cairn, "contexts", context),
            cairn.http.post(f"/checkpoints/{joke['id']}/rerun"),
        )
        accepted = [answer for answer in (started, rerun) if answer.status_code == 202]
        if deleted.status_code == 204:
            # What was accepted before has ended before.
            for answer in (started, rerun):
                if answer.status_code != 202:
                    refused(answer, 404)
            for answer in accepted:
                refused(await cairn.http.get(f"/runs/{answer.json()['id']}"), 404)
        else:
            refused(deleted, 409, "cancel")
            assert accepted
            for answer in accepted:
                await cairn.until(answer.json(), "completed")


async def test_two_services_that_delete_what_shares_a_value_leave_nothing_of_it(
    database: str,
) -> None:
    async with two_services(database) as (one, other):
        for n in range(8):
            start = {"topic": f"{n} {LONG}"}
            runs = [await cairn.completed("joke", start) for cairn in (one, other)]
            answers = await asyncio.gather(
                *(
                    delete(cairn, "contexts", run["context_id"])
                    for cairn, run in zip((one, other), runs, strict=True)
                )
            )
            assert [answer.status_code for answer in answers] == [204, 204]
        await gone(database, "checkpoints")
        assert (rows(database, "blob_refs"), rows(database, "blobs")) == (0, 0)


async def test_two_services_that_delete_contexts_of_the_same_state_leave_nothing_of_it(
    database: str,
) -> None:
    gates.open_gate(LONG)
    async with two_services(database) as (one, other):
        for _ in range(10):
            runs = [await one.completed("slow", {"gate": LONG}) for _ in range(2)]
            for run in runs:
                assert (await delete(one, "runs", run["id"])).status_code == 204
            answers = await asyncio.gather(
                *(
                    delete(cairn, "contexts", run["context_id"])
                    for cairn, run in zip((one, other), runs, strict=True)
                )
            )
            assert [answer.status_code for answer in answers] == [204, 204]
            assert (rows(database, "blob_refs"), rows(database, "blobs")) == (0, 0)


async def test_who_looks_at_checkpoints_that_are_being_deleted_sees_them_or_does_not(
    cairn: Cairn,
) -> None:
    for _ in range(3):
        run = await cairn.completed("scatter", {"width": 60})
        checkpoints = await cairn.checkpoints(run)
        some = checkpoints[::10]
        deleted, *answers = await asyncio.gather(
            delete(cairn, "runs", run["id"]),
            *(cairn.http.get(f"/checkpoints/{c['id']}") for c in some),
            *(cairn.http.post(f"/checkpoints/{c['id']}/rerun") for c in some[:4]),
            *(cairn.http.get(f"/runs/{run['id']}/checkpoints?include=events") for _ in some),
        )
        assert deleted.status_code == 204
        for answer in answers:
            if answer.status_code not in {200, 202}:
                refused(answer, 404)


async def test_a_value_is_there_for_who_writes_it_while_another_service_deletes_it(
    database: str,
) -> None:
    start = {"topic": LONG}
    async with two_services(database) as (one, other):
        run = await one.completed("joke", start)
        for n in range(8):
            here, there = (one, other) if n % 2 else (other, one)
            deleted, started = await asyncio.gather(
                delete(here, "contexts", run["context_id"]), there.start("joke", start)
            )
            assert deleted.status_code == 204, deleted.text
            run = await there.until(started, "completed")
            assert (await here.get(f"/runs/{run['id']}"))["start_event"] == start
            for checkpoint in await here.checkpoints(run):
                await here.get(f"/checkpoints/{checkpoint['id']}")
        assert (await delete(one, "contexts", run["context_id"])).status_code == 204
        assert (rows(database, "blob_refs"), rows(database, "blobs")) == (0, 0)


async def test_a_run_that_two_services_delete_is_deleted_by_one(database: str) -> None:
    async with two_services(database) as (one, other):
        for _ in range(6):
            run = await one.completed("joke", {"topic": LONG})
            answers = await asyncio.gather(
                *(delete(cairn, "runs", run["id"]) for cairn in (one, other) * 3)
            )
            assert sorted(answer.status_code for answer in answers) == [204] + [404] * 5
            refused(await delete(other, "runs", run["id"]), 404)
