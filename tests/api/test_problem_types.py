"""Types of problems: a program can tell them apart, and each is explained."""

import re
from pathlib import Path

import pytest

from cairn.api.problem_types import STATUSES, type_of
from tests.api.asking import Cairn, refused

EXPLAINED = (Path(__file__).parents[2] / "openapi" / "problems.md").read_text()
MATH = {"workflow": "joke", "start_event": {"topic": "math"}}


def test_each_type_of_problem_is_explained_with_its_status_and_no_other_is() -> None:
    explained = re.findall(r"^## (.+)\n\n(\d{3})\. \w", EXPLAINED, re.MULTILINE)
    assert {code: int(status) for code, status in explained} == STATUSES
    assert len(explained) == EXPLAINED.count("\n## ")


async def test_the_schema_lists_the_types_of_problems(cairn: Cairn) -> None:
    problem = (await cairn.get("/openapi.json"))["components"]["schemas"]["Problem"]
    assert problem["properties"]["type"]["enum"] == sorted(map(type_of, STATUSES))


async def test_conflicts_are_told_apart_by_their_types(cairn: Cairn) -> None:
    ended = await cairn.completed("joke", {"topic": "math"})
    *_, last = await cairn.checkpoints(ended)
    waits = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
    await cairn.http.put(f"/checkpoints/{last['id']}/tags", json={"tags": ["good"]})
    for body in (MATH, MATH | {"if_busy": "reject"}):
        key = {"Idempotency-Key": "one"}
        repeated = await cairn.http.post("/runs", json=body, headers=key)
    busy = {"workflow": "approval", "context_id": waits["context_id"], "if_busy": "reject"}
    busy["start_event"] = {"amount": 1}
    told = {"type": "Verdict", "data": {"approved": True}}
    run, context = f"/runs/{ended['id']}", f"/contexts/{waits['context_id']}"
    for response, code in (
        (repeated, "idempotency-key-reused"),
        (
            await cairn.http.post("/runs", json=busy),
            "context-busy",
        ),
        (await cairn.http.post(f"/checkpoints/{last['id']}/rerun"), "nothing-left-to-run"),
        (await cairn.http.delete(run), "checkpoint-tagged"),
        (await cairn.http.delete(f"/runs/{waits['id']}"), "run-under-way"),
        (await cairn.http.delete(context), "run-under-way"),
        (
            await cairn.http.post("/runs", json=MATH | {"context_id": waits["context_id"]}),
            "context-of-another-workflow",
        ),
    ):
        assert refused(response, 409)["type"] == f"/problems/{code}"
    await cairn.http.post(f"/runs/{waits['id']}/cancel")
    late = await cairn.http.post(f"/runs/{waits['id']}/events", json=told)
    assert refused(late, 409)["type"] == "/problems/run-ended"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nowhere", "", 404, "not-found"),
        ("GET", "/runs/nope", "", 404, "not-found"),
        ("GET", "/workflows/jest", "", 404, "workflow-not-loaded"),
        ("POST", "/contexts", '{"workflow": "jest"}', 404, "workflow-not-loaded"),
        ("PATCH", "/runs", "", 405, "method-not-allowed"),
        ("POST", "/contexts", "{", 400, "malformed-request"),
        ("POST", "/contexts", "[" * 10_000, 400, "malformed-request"),
        ("POST", "/contexts", "[" * 100_001, 413, "too-many-values"),
        ("POST", "/contexts", " " * 10_000_001, 413, "body-too-large"),
        ("POST", "/contexts", "1e400", 422, "number-too-large"),
        ("POST", "/contexts", "{}", 422, "invalid-request"),
        ("GET", "/runs?colour=red", "", 422, "invalid-request"),
        ("GET", "/runs?cursor=red", "", 422, "invalid-cursor"),
        ("POST", "/runs", '{"workflow": "approval"}', 422, "invalid-event"),
        ("POST", "/runs/{waits}/events", '{"type": "StartEvent"}', 422, "event-not-taken"),
    ],
)
async def test_each_mistake_has_a_type_of_its_own(
    cairn: Cairn, method: str, path: str, body: str, status: int, code: str
) -> None:
    if "{waits}" in path:
        waits = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
        path = path.format(waits=waits["id"])
    headers = {"content-type": "application/json"} if body else {}
    response = await cairn.http.request(method, path, content=body, headers=headers)
    problem = refused(response, status)
    assert problem["type"] == f"/problems/{code}"
    assert problem["title"].lower() == code.replace("-", " ")
