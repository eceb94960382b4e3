"""A run that begins at once, stored with its first fact, is as one that is stored, then claimed."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.api.asking import ENDED, Cairn, Json
from tests.api.gates import BOUND

pytestmark = pytest.mark.databases

OWN = {"id", "run_id", "context_id", "root_run_id", "parent_id", "since"}
"""Fields that no two runs share, besides moments."""

STARTS: list[tuple[str, Json]] = [
    *(("counter", {"by": by}) for by in (-3, 0, 10**12)),
    *(("approval", {"amount": amount}) for amount in (0, 7, 99)),
    *(("mid_step", {"amount": amount}) for amount in (1, 50)),
    ("failing", {"fault": "logs"}),
    ("odd_result", {}),
    ("unstorable_result", {}),
]
"""Runs that end, fail, or wait for a person."""


def shared(item: Mapping[str, Any]) -> str:
    """What another run's item must have as well, as text that can be sorted."""
    kept = {k: v for k, v in item.items() if k not in OWN and not k.endswith("_at")}
    return json.dumps(kept, sort_keys=True)


async def left_by(
    cairn: Cairn, workflow: str, start_event: Json, key: str | None, context: str | None = None
) -> list[str]:
    """The run, once it has ended or waits, and its checkpoints: in no order, where steps race."""
    headers = {"Prefer": f"wait={BOUND:g}"} | ({} if key is None else {"Idempotency-Key": key})
    body = {"workflow": workflow, "start_event": start_event, "context_id": context}
    response = await cairn.http.post("/runs", json=body, headers=headers)
    run = response.json()
    assert run["status"] in ENDED | {"waiting"}, response.text
    page = await cairn.get(f"/runs/{run['id']}/checkpoints", include="events", limit=100)
    run["waiting_for"] = [shared(it) for it in run.get("waiting_for", [])]
    for item in page["items"]:
        item.pop("seq", None)
    return [shared(run), *sorted(shared(item) for item in page["items"])]


@pytest.mark.parametrize("start", STARTS, ids=str)
async def test_both_ways_leave_the_same(cairn: Cairn, start: tuple[str, Json]) -> None:
    begun = await left_by(cairn, *start, key=None)
    assert len(begun) > 1
    assert await left_by(cairn, *start, key="a key") == begun


async def test_a_context_of_its_own_is_the_same_as_one_that_was_made_before(cairn: Cairn) -> None:
    begun = await left_by(cairn, "counter", {"by": 2}, key=None)
    context = await cairn.context("counter")
    assert await left_by(cairn, "counter", {"by": 2}, key=None, context=context) == begun
