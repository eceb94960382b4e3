"""A run by any fast path of the service leaves the same as a run by the general way."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.asking import ENDED, Cairn, Json
from tests.api.gates import BOUND
from tests.general_ways import OF_THE_SERVICE, GeneralWay

pytestmark = pytest.mark.databases

OWN = {"id", "run_id", "context_id", "root_run_id", "parent_run_id", "parent_id", "since"} | {
    "origin_checkpoint_id"
}
"""Fields that no two runs share, besides moments."""

STARTS: list[tuple[str, Json]] = [
    *(("counter", {"by": by}) for by in (-3, 10**12)),
    ("approval", {"amount": 7}),
    ("mid_step", {"amount": 50}),
    ("failing", {"fault": "logs"}),
    ("odd_result", {}),
    ("unstorable_result", {}),
]
"""Runs that end, fail, or wait for a person."""


def shared(item: Mapping[str, Any]) -> str:
    """The part of an item that is the same in another run, as text that can be sorted."""
    kept = {k: v for k, v in item.items() if k not in OWN and not k.endswith("_at")}
    return json.dumps(kept, sort_keys=True)


async def left_by(cairn: Cairn, response: Any) -> list[str]:
    """The run that was accepted, once it has ended or waits, and its checkpoints, sorted."""
    assert response.status_code in (200, 202), response.text
    run = response.json()
    assert run["status"] in ENDED | {"waiting"}, response.text
    assert await cairn.get(f"/runs/{run['id']}") == run  # the answer came from memory
    items = await cairn.checkpoints(run, include="events")
    run["waiting_for"] = [shared(question) for question in run["waiting_for"]]
    return [shared(run), *sorted(shared(item) for item in items)]


async def started_and_rerun(cairn: Cairn, workflow: str, start_event: Json) -> list[list[str]]:
    """All that a run leaves, and reruns from each of its checkpoints."""
    wait = {"Prefer": f"wait={BOUND:g}"}
    body = {"workflow": workflow, "start_event": start_event}
    response = await cairn.http.post("/runs", json=body, headers=wait)
    left = [await left_by(cairn, response)]
    for checkpoint in await cairn.checkpoints(response.json()):
        again = await cairn.http.post(f"/checkpoints/{checkpoint['id']}/rerun", headers=wait)
        if again.status_code != 409:  # nothing is left to run from a stop event
            left.append(await left_by(cairn, again))
    return left


@pytest.mark.parametrize("start", STARTS, ids=str)
@pytest.mark.parametrize("general", OF_THE_SERVICE)
async def test_the_general_way_leaves_the_same(
    cairn: Cairn,
    monkeypatch: pytest.MonkeyPatch,
    general: GeneralWay,
    start: tuple[str, Json],
) -> None:
    fast = await started_and_rerun(cairn, *start)
    assert len(fast[0]) > 1
    general(monkeypatch)
    assert await started_and_rerun(cairn, *start) == fast


async def test_a_context_that_was_made_before_is_as_one_that_is_made_with_the_run(
    cairn: Cairn,
) -> None:
    made_with = await left_by(cairn, await begun(cairn, None))
    assert await left_by(cairn, await begun(cairn, await cairn.context("counter"))) == made_with


async def begun(cairn: Cairn, context: str | None) -> Any:
    """The answer to a start in this context, once the run has ended."""
    body = {"workflow": "counter", "start_event": {"by": 2}, "context_id": context}
    return await cairn.http.post("/runs", json=body, headers={"Prefer": f"wait={BOUND:g}"})
