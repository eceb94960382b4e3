"""Retention: what is kept of the runs that have ended, by age, count and status."""

from typing import Any

import pytest

from cairn.settings import Settings
from tests.api.asking import Cairn, serving
from tests.api.looking import ask, counts, until


async def _left(cairn: Cairn) -> list[str]:
    return [run["id"] for run in (await cairn.get("/runs", limit=1000))["items"]]


def _age(url: str, run: str, days: int) -> None:
    """Have the run ended that many days earlier."""
    ended = (
        f"datetime(finished_at, '-{days} days')"
        if url.startswith("sqlite")
        else f"finished_at - interval '{days} days'"
    )
    which = f"x'{run.replace('-', '')}'" if url.startswith("sqlite") else f"'{run}'"
    ask(url, f"UPDATE runs SET finished_at = {ended} WHERE id = {which}")


async def _pruned(url: str, runs: int, **settings: Any) -> list[str]:
    """The runs that a service with these settings leaves, newest first."""
    async with serving(url, **settings) as cairn:
        await until(lambda: counts(url)["runs"] == runs and counts(url)["deletions"] == 0)
        return await _left(cairn)


async def test_nothing_goes_unless_it_is_asked_for(database_url: str) -> None:
    async with serving(database_url) as cairn:
        run = await cairn.completed("joke", {"topic": "math"})
    _age(database_url, run["id"], 10_000)
    async with serving(database_url, prune_every_seconds=1) as cairn:
        await cairn.completed("joke", {"topic": "music"})
        assert len(await _left(cairn)) == 2


async def test_the_newest_of_each_workflow_are_kept(database_url: str) -> None:
    async with serving(database_url) as cairn:
        jokes = [await cairn.completed("joke", {"topic": str(n)}) for n in range(4)]
        counted = await cairn.completed("counter")
        waiting = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
    kept = [waiting["id"], counted["id"], jokes[3]["id"], jokes[2]["id"]]
    assert await _pruned(database_url, runs=4, retain_runs=2) == kept
    assert counts(database_url)["contexts"] == 4, "the contexts go that have no runs any more"


async def test_what_ended_long_ago_goes(database_url: str) -> None:
    async with serving(database_url) as cairn:
        old, new = [await cairn.completed("joke", {"topic": str(n)}) for n in range(2)]
    _age(database_url, old["id"], days=8)
    assert await _pruned(database_url, runs=1, retain_days=7) == [new["id"]]


async def test_only_what_ended_as_named_goes(database_url: str) -> None:
    async with serving(database_url) as cairn:
        done = await cairn.completed("joke", {"topic": "math"})
        cancelled = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
        await cairn.http.post(f"/runs/{cancelled['id']}/cancel")
    left = await _pruned(database_url, runs=1, retain_runs=0, retain_statuses=["cancelled"])
    assert left == [done["id"]]


async def test_a_run_with_a_tagged_checkpoint_is_kept(database_url: str) -> None:
    async with serving(database_url) as cairn:
        tagged, other = [await cairn.completed("joke", {"topic": str(n)}) for n in range(2)]
        checkpoint = (await cairn.checkpoints(tagged))[0]["id"]
        await cairn.http.put(f"/checkpoints/{checkpoint}/tags", json={"tags": ["good"]})
    assert await _pruned(database_url, runs=1, retain_runs=0) == [tagged["id"]]
    assert other["id"] != tagged["id"]


async def test_it_is_done_again_and_again(database_url: str) -> None:
    async with serving(database_url, retain_runs=1, prune_every_seconds=1) as cairn:
        for topic in ("math", "music"):
            await cairn.completed("joke", {"topic": topic})
        await until(lambda: counts(database_url)["runs"] == 1)


async def test_a_request_whose_context_has_gone_makes_another(database_url: str) -> None:
    async def asked(cairn: Cairn) -> str:
        headers = {"Idempotency-Key": "again"}
        response = await cairn.http.post("/contexts", json={"workflow": "joke"}, headers=headers)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    async with serving(database_url) as cairn:
        context = await asked(cairn)
        await cairn.completed("joke", {"topic": "math"}, context)
    async with serving(database_url, retain_runs=0) as cairn:
        await until(lambda: counts(database_url)["contexts"] == 0)
        assert await asked(cairn) != context


@pytest.mark.parametrize("number", [-1, float("inf"), float("nan"), 1e12])
@pytest.mark.parametrize("name", ["retain_days", "retain_runs"])
def test_there_is_no_keeping_less_than_nothing_or_for_longer_than_ever(
    name: str, number: float
) -> None:
    wrong: dict[str, Any] = {name: number}
    with pytest.raises(ValueError, match=name):
        Settings(**wrong)
