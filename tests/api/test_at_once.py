"""Many clients who know nothing of each other: every run comes to rest, and nothing is stuck."""

import asyncio
import random

import pytest

from tests.api import gates
from tests.api.asking import ENDED, Cairn, Json, refused, serving

pytestmark = pytest.mark.databases

STARTS: list[tuple[str, Json]] = [
    ("joke", {"topic": "math"}),
    ("counter", {"by": 1}),
    ("scatter", {"width": 4}),
    ("failing", {"fault": "logs"}),
    ("approval", {"amount": 7}),
    ("mid_step", {"amount": 7}),
]


class Crowd:
    """Clients who start, cancel, tell and rerun what they find."""

    def __init__(self, cairn: Cairn, seed: int) -> None:
        self.cairn = cairn
        self.random = random.Random(seed)
        self.contexts: dict[str, list[str]] = {workflow: [] for workflow, _ in STARTS}
        self.accepted: set[str] = set()

    async def come(self, clients: int, requests: int) -> None:
        """All at once, each with so many requests one after another."""
        for workflow, contexts in self.contexts.items():
            contexts += [await self.cairn.context(workflow) for _ in range(2)]
        await asyncio.gather(*(self._client(requests) for _ in range(clients)))

    async def _client(self, requests: int) -> None:
        for _ in range(requests):
            do = self.random.choice(
                [self._start, self._start, self._cancel, self._tell, self._rerun]
            )
            await do()

    async def _start(self) -> None:
        workflow, start_event = self.random.choice(STARTS)
        body = {
            "workflow": workflow,
            "start_event": start_event,
            "context_id": self.random.choice([None, *self.contexts[workflow]]),
            "if_busy": self.random.choice(["queue", "queue", "reject"]),
        }
        wait = {"Prefer": "wait=1"} if self.random.random() < 0.2 else {}
        await self._ask("/runs", body, wait)

    async def _cancel(self) -> None:
        if self.accepted:
            run = self.random.choice(sorted(self.accepted))
            response = await self.cairn.http.post(f"/runs/{run}/cancel")
            assert response.status_code == 200, response.text

    async def _tell(self) -> None:
        waiting = (await self.cairn.get("/runs", status="waiting", limit=20))["items"]
        if waiting:
            run = self.random.choice(waiting)["id"]
            said = {"type": "Verdict", "data": {"approved": True}}
            response = await self.cairn.http.post(f"/runs/{run}/events", json=said)
            if response.status_code != 202:
                refused(response, 409)

    async def _rerun(self) -> None:
        if self.accepted:
            run = self.random.choice(sorted(self.accepted))
            left = (await self.cairn.get(f"/runs/{run}/checkpoints"))["items"]
            if left:
                checkpoint = self.random.choice(left)["id"]
                await self._ask(f"/checkpoints/{checkpoint}/rerun", None, {})

    async def _ask(self, path: str, body: Json | None, headers: dict[str, str]) -> None:
        response = await self.cairn.http.post(path, json=body, headers=headers)
        if response.status_code in {200, 202}:
            self.accepted.add(response.json()["id"])
        else:
            refused(response, 409)

    async def end(self) -> None:
        """Answer everybody who waits, until all runs have ended."""
        async with asyncio.timeout(3 * gates.BOUND):
            while True:
                left = [
                    run
                    for page in await self.cairn.pages("/runs", limit=200)
                    for run in page
                    if run["status"] not in ENDED
                ]
                if not left:
                    return
                for run in left:
                    if run["status"] == "waiting":
                        await self.cairn.http.post(
                            f"/runs/{run['id']}/events",
                            json={"type": "Verdict", "data": {"approved": True}},
                        )
                await asyncio.sleep(0.01)


async def check(cairn: Cairn, run: Json) -> None:
    """What a run shows holds together."""
    checkpoints = await cairn.checkpoints(run)
    assert [c["seq"] for c in checkpoints] == list(range(1, run["checkpoint_count"] + 1))
    parents = [run["origin_checkpoint_id"], *(c["id"] for c in checkpoints)]
    assert [c["parent_id"] for c in checkpoints] == parents[:-1]
    stopped = bool(checkpoints) and checkpoints[-1]["output_event_type"] == "StopEvent"
    assert stopped == (run["status"] == "completed")
    assert (run["error"] is not None) >= (run["status"] == "failed")
    assert run["finished_at"] is not None


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_is_asked_at_once_every_run_ends_and_no_context_is_stuck(
    database: str, seed: int
) -> None:
    async with serving(database, max_active_runs=7) as cairn:
        crowd = Crowd(cairn, seed)
        await crowd.come(clients=12, requests=12)
        await crowd.end()
        runs = [run for page in await cairn.pages("/runs", limit=100) for run in page]
        assert {run["id"] for run in runs} == crowd.accepted
        for run in runs:
            await check(cairn, run)
        for context in crowd.contexts["joke"]:
            await cairn.completed("joke", {"topic": "after all"}, context)


async def test_what_was_accepted_before_a_restart_ends_after_it(database: str) -> None:
    async with serving(database, max_active_runs=7, drain_seconds=0) as cairn:
        crowd = Crowd(cairn, seed=7)
        await crowd.come(clients=12, requests=6)
    async with serving(database) as cairn:
        crowd.cairn = cairn
        await crowd.end()
        runs = [run for page in await cairn.pages("/runs", limit=100) for run in page]
        assert {run["id"] for run in runs} == crowd.accepted
        for run in runs:
            await check(cairn, run)
