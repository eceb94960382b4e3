"""Runs: started, found, waited for, queued, told, cancelled."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.api import gates
from tests.api.asking import NOBODY, Cairn, Json, refused, serving, steps
from tests.api.gates import open_gate, reached

RUN = {
    "id",
    "workflow",
    "status",
    "context_id",
    "start_event",
    "result",
    "error",
    "parent_run_id",
    "root_run_id",
    "origin_checkpoint_id",
    "checkpoint_count",
    "waiting_for",
    "name",
    "note",
    "tags",
    "created_at",
    "started_at",
    "finished_at",
    "omitted",
}

MATH = {"workflow": "joke", "start_event": {"topic": "math"}}


def time(text: str) -> datetime:
    """A moment, which says that it is UTC."""
    moment = datetime.fromisoformat(text)
    assert moment.utcoffset() == timedelta(0)
    return moment


# Starting


async def test_a_run_is_accepted_and_says_where_it_is(cairn: Cairn) -> None:
    response = await cairn.http.post("/runs", json=MATH)
    assert response.status_code == 202
    run = response.json()
    assert run.keys() == RUN
    assert UUID(run["id"]).version == 7
    assert response.headers["location"] == f"/runs/{run['id']}"
    assert (await cairn.get(response.headers["location"]))["id"] == run["id"]
    await cairn.ended(run)


async def test_a_completed_run_shows_all_there_is_to_it(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    assert run.keys() == RUN
    assert run["workflow"] == "joke"
    assert run["start_event"] == {"topic": "math"}
    assert run["result"] == "a critique of a joke about math"
    assert run["error"] is None
    assert (run["parent_run_id"], run["origin_checkpoint_id"]) == (None, None)
    assert run["root_run_id"] == run["id"]
    assert run["checkpoint_count"] == 3
    assert time(run["created_at"]) <= time(run["started_at"]) <= time(run["finished_at"])


@pytest.mark.databases(seldom=True)
async def test_a_run_makes_its_own_context_when_none_is_given(cairn: Cairn) -> None:
    one, two = await cairn.start("joke", {"topic": "a"}), await cairn.start("joke", {"topic": "b"})
    assert one["context_id"] != two["context_id"]
    context = await cairn.get(f"/contexts/{one['context_id']}")
    assert (context["id"], context["workflow"]) == (one["context_id"], "joke")
    await cairn.ended(one)
    await cairn.ended(two)


@pytest.mark.databases(seldom=True)
async def test_a_run_goes_on_from_where_its_context_stands(cairn: Cairn) -> None:
    context = await cairn.context("counter")
    results = [(await cairn.completed("counter", {}, context))["result"] for _ in range(3)]
    assert results == [1, 2, 3]


async def test_a_start_event_has_its_defaults(cairn: Cairn) -> None:
    response = await cairn.http.post("/runs", json={"workflow": "counter"})
    assert response.status_code == 202
    assert (await cairn.ended(response.json()))["result"] == 1


async def test_a_start_event_that_fails_its_schema_is_refused_by_its_field(cairn: Cairn) -> None:
    for start_event in ({}, {"width": "wide"}, {"width": None}):
        body = {"workflow": "scatter", "start_event": start_event}
        refused(await cairn.http.post("/runs", json=body), 422, "width")
    assert (await cairn.get("/runs"))["items"] == []


async def test_an_unknown_workflow_is_refused_by_its_name(cairn: Cairn) -> None:
    refused(await cairn.http.post("/runs", json={"workflow": "jest"}), 404, "jest")
    refused(await cairn.http.post("/contexts", json={"workflow": "jest"}), 404, "jest")


@pytest.mark.databases(seldom=True)
async def test_an_unknown_context_is_refused(cairn: Cairn) -> None:
    refused(await cairn.http.post("/runs", json={**MATH, "context_id": NOBODY}), 404, NOBODY)


@pytest.mark.databases(seldom=True)
async def test_a_context_of_another_workflow_is_refused(cairn: Cairn) -> None:
    context = await cairn.context("counter")
    response = await cairn.http.post("/runs", json={**MATH, "context_id": context})
    assert response.status_code in {409, 422}
    refused(response, response.status_code, "counter")


async def test_an_option_that_is_not_there_is_refused_by_its_name(cairn: Cairn) -> None:
    refused(await cairn.http.post("/runs", json={**MATH, "topic": "math"}), 422, "topic")
    response = await cairn.http.post("/contexts", json={"workflow": "joke", "colour": 1})
    refused(response, 422, "colour")


@pytest.mark.databases(seldom=True)
async def test_a_hundred_runs_started_at_once_all_complete(cairn: Cairn) -> None:
    started = await asyncio.gather(
        *(cairn.start("joke", {"topic": str(number)}) for number in range(100))
    )
    ended = [await cairn.ended(run) for run in started]
    assert [run["result"] for run in ended] == [
        f"a critique of a joke about {number}" for number in range(100)
    ]
    assert {run["checkpoint_count"] for run in ended} == {3}
    assert len(gates.executed) == 200


async def test_a_run_of_many_events_completes_each_once(cairn: Cairn) -> None:
    run = await cairn.completed("scatter", {"width": 60})
    assert run["result"] == list(range(60))
    completed = steps(await cairn.checkpoints(run))
    assert [completed.count(step) for step in ("scatter", "work", "gather")] == [1, 60, 60]
    assert run["checkpoint_count"] == len(await cairn.checkpoints(run))


# Waiting for a run


@pytest.mark.parametrize(
    "prefer",
    [
        "wait=30",
        "respond-async, wait=30",
        "wait=30; foo=bar, return=minimal",
        'wait="30"',
        "wait = 30",
        "Wait=30",
        "wait=30, wait=0",
    ],
)
async def test_a_run_that_ends_in_the_time_preferred_is_answered_whole(
    cairn: Cairn, prefer: str
) -> None:
    response = await cairn.http.post("/runs", json=MATH, headers={"Prefer": prefer})
    assert response.status_code == 200
    assert response.json()["status"] == "completed"
    assert response.json() == await cairn.get(f"/runs/{response.json()['id']}")


async def test_a_run_that_fails_in_the_time_preferred_is_answered_too(cairn: Cairn) -> None:
    body = {"workflow": "failing", "start_event": {"fault": "logs"}}
    response = await cairn.http.post("/runs", json=body, headers={"Prefer": "wait=30"})
    assert (response.status_code, response.json()["status"]) == (200, "failed")


@pytest.mark.databases(seldom=True)
async def test_a_run_that_takes_longer_than_preferred_is_accepted(cairn: Cairn) -> None:
    body = {"workflow": "slow", "start_event": {"gate": "g"}}
    for prefer in ("wait=0", "wait=1"):
        response = await cairn.http.post("/runs", json=body, headers={"Prefer": prefer})
        assert response.status_code == 202
        run = response.json()
        assert run["status"] in {"queued", "running"}
        assert response.headers["location"] == f"/runs/{run['id']}"


async def test_a_run_that_waits_has_not_ended(cairn: Cairn) -> None:
    body = {"workflow": "approval", "start_event": {"amount": 7}}
    response = await cairn.http.post("/runs", json=body, headers={"Prefer": "wait=1"})
    assert (response.status_code, response.json()["status"]) == (202, "waiting")


@pytest.mark.parametrize(
    "prefer", ["", "wait", "wait=", "wait=soon", "wait=-1", "wait=0.5", "handling=lenient", "=,;="]
)
async def test_a_preference_that_cannot_be_read_is_ignored(cairn: Cairn, prefer: str) -> None:
    body = {"workflow": "slow", "start_event": {"gate": "g"}}
    response = await cairn.http.post("/runs", json=body, headers={"Prefer": prefer})
    assert response.status_code == 202


@pytest.mark.parametrize("seconds", ["100000", "9" * 30, "9" * 5000])
@pytest.mark.databases(seldom=True)
async def test_a_preference_for_very_long_is_no_obstacle(cairn: Cairn, seconds: str) -> None:
    response = await cairn.http.post("/runs", json=MATH, headers={"Prefer": f"wait={seconds}"})
    assert response.status_code in {200, 202}
    assert (await cairn.ended(response.json()))["status"] == "completed"


async def test_a_rerun_may_be_waited_for(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    joke = (await cairn.checkpoints(run))[1]
    response = await cairn.http.post(
        f"/checkpoints/{joke['id']}/rerun", headers={"Prefer": "wait=30"}
    )
    assert (response.status_code, response.json()["status"]) == (200, "completed")


# The same request again


async def test_a_repeated_request_is_given_the_first_run(cairn: Cairn) -> None:
    key = {"Idempotency-Key": "math-1"}
    first = await cairn.http.post("/runs", json=MATH, headers=key)
    run = await cairn.ended(first.json())
    again = await cairn.http.post("/runs", json=MATH, headers=key)
    assert again.status_code in {200, 202}
    assert again.json() == run
    assert again.headers["location"] == first.headers["location"]
    assert len((await cairn.get("/runs"))["items"]) == 1


async def test_a_repeated_request_that_prefers_to_wait_waits_for_the_first_run(
    cairn: Cairn,
) -> None:
    body = {"workflow": "slow", "start_event": {"gate": "g"}}
    key = {"Idempotency-Key": "slow-1"}
    first = await cairn.http.post("/runs", json=body, headers=key)
    again = asyncio.create_task(
        cairn.http.post("/runs", json=body, headers={**key, "Prefer": "wait=30"})
    )
    await reached("g")
    open_gate("g")
    response = await again
    assert (response.status_code, response.json()["status"]) == (200, "completed")
    assert response.json()["id"] == first.json()["id"]


@pytest.mark.databases(seldom=True)
async def test_a_key_with_another_body_is_refused(cairn: Cairn) -> None:
    key = {"Idempotency-Key": "math-1"}
    first = await cairn.http.post("/runs", json=MATH, headers=key)
    other = {"workflow": "joke", "start_event": {"topic": "art"}}
    refused(await cairn.http.post("/runs", json=other, headers=key), 409, "key")
    assert len((await cairn.get("/runs"))["items"]) == 1
    await cairn.ended(first.json())


@pytest.mark.databases(seldom=True)
async def test_without_a_key_every_request_starts_a_run(cairn: Cairn) -> None:
    first, second = [await cairn.start("joke", {"topic": "math"}) for _ in range(2)]
    assert first["id"] != second["id"]
    await cairn.ended(first)
    await cairn.ended(second)


@pytest.mark.databases(seldom=True)
async def test_requests_repeated_at_once_start_one_run(cairn: Cairn) -> None:
    key = {"Idempotency-Key": "math-1"}
    responses = await asyncio.gather(
        *(cairn.http.post("/runs", json=MATH, headers=key) for _ in range(20))
    )
    assert {response.status_code for response in responses} <= {200, 202}
    assert len({response.json()["id"] for response in responses}) == 1
    assert len((await cairn.get("/runs"))["items"]) == 1
    await cairn.ended(responses[0].json())
    assert gates.executed == ["generate_joke", "critique_joke"]


@pytest.mark.databases(seldom=True)
async def test_of_different_requests_with_one_key_at_once_one_is_taken(cairn: Cairn) -> None:
    key = {"Idempotency-Key": "math-1"}
    responses = await asyncio.gather(
        *(
            cairn.http.post(
                "/runs",
                json={"workflow": "joke", "start_event": {"topic": str(number)}},
                headers=key,
            )
            for number in range(8)
        )
    )
    assert sorted(response.status_code for response in responses) == [202] + [409] * 7
    [run] = (await cairn.get("/runs"))["items"]
    await cairn.ended(run)


@pytest.mark.databases(seldom=True)
async def test_a_request_that_was_refused_does_not_hold_its_key(cairn: Cairn) -> None:
    key = {"Idempotency-Key": "math-1"}
    wrong = {"workflow": "jest", "start_event": {"topic": "math"}}
    refused(await cairn.http.post("/runs", json=wrong, headers=key), 404)
    response = await cairn.http.post("/runs", json=MATH, headers=key)
    assert response.status_code == 202
    await cairn.ended(response.json())


@pytest.mark.databases(seldom=True)
async def test_a_key_of_another_endpoint_never_gives_what_that_one_made(cairn: Cairn) -> None:
    key = {"Idempotency-Key": "one"}
    run = await cairn.ended((await cairn.http.post("/runs", json=MATH, headers=key)).json())
    checkpoints = await cairn.checkpoints(run)
    context = await cairn.http.post("/contexts", json={"workflow": "joke"}, headers=key)
    if context.status_code != 409:
        assert context.status_code == 201
        assert context.json()["id"] != run["id"]
        assert (await cairn.get(f"/contexts/{context.json()['id']}"))["workflow"] == "joke"
    else:
        refused(context, 409, "key")
    for checkpoint in checkpoints[:2]:
        rerun = await cairn.http.post(f"/checkpoints/{checkpoint['id']}/rerun", headers=key)
        if rerun.status_code == 409:
            refused(rerun, 409, "key")
        else:
            assert rerun.status_code == 202
            assert rerun.json()["origin_checkpoint_id"] == checkpoint["id"]
            await cairn.ended(rerun.json())


async def test_a_repeated_rerun_is_given_the_first(cairn: Cairn) -> None:
    joke = (await cairn.checkpoints(await cairn.completed("joke", {"topic": "math"})))[1]
    path, key = f"/checkpoints/{joke['id']}/rerun", {"Idempotency-Key": "rerun-1"}
    responses = [await cairn.http.post(path, headers=key) for _ in range(3)]
    assert len({response.json()["id"] for response in responses}) == 1
    await cairn.ended(responses[0].json())
    assert len((await cairn.get("/runs"))["items"]) == 2


@pytest.mark.databases(seldom=True)
async def test_a_repeated_context_is_given_the_first(cairn: Cairn) -> None:
    key = {"Idempotency-Key": "context-1"}
    body = {"workflow": "joke"}
    first, again = [await cairn.http.post("/contexts", json=body, headers=key) for _ in range(2)]
    assert first.json() == again.json()
    refused(await cairn.http.post("/contexts", json={"workflow": "slow"}, headers=key), 409)


@pytest.mark.databases(seldom=True)
async def test_a_key_is_remembered_when_the_service_starts_again(database: str) -> None:
    key = {"Idempotency-Key": "math-1"}
    async with serving(database) as cairn:
        run = await cairn.ended((await cairn.http.post("/runs", json=MATH, headers=key)).json())
    async with serving(database) as cairn:
        again = await cairn.http.post("/runs", json=MATH, headers=key)
        assert again.json() == run


# Finding


@pytest.mark.databases(seldom=True)
async def test_runs_are_found_by_workflow_status_and_context(cairn: Cairn) -> None:
    joke = await cairn.completed("joke", {"topic": "math"})
    other = await cairn.completed("joke", {"topic": "art"}, joke["context_id"])
    count = await cairn.completed("counter")
    failed = await cairn.ended(await cairn.start("failing", {"fault": "logs"}))

    async def found(**filters: str) -> list[str]:
        return sorted(run["id"] for run in (await cairn.get("/runs", **filters))["items"])

    everything = [joke, other, count, failed]
    assert await found() == sorted(run["id"] for run in everything)
    assert await found(workflow="joke") == sorted([joke["id"], other["id"]])
    assert await found(context_id=joke["context_id"]) == sorted([joke["id"], other["id"]])
    assert await found(status="failed") == [failed["id"]]
    assert await found(workflow="joke", status="failed") == []
    assert await found(workflow="counter", status="completed", context_id=count["context_id"]) == [
        count["id"]
    ]
    assert await found(workflow="jest") == await found(context_id=NOBODY) == []


@pytest.mark.databases(seldom=True)
async def test_a_listed_run_is_the_run(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    page = await cairn.get("/runs")
    assert page == {"items": [run], "next_cursor": None}


@pytest.mark.parametrize("limit", [1, 3, 4, 11, 12])
@pytest.mark.databases(seldom=True)
async def test_pages_of_runs_show_each_run_once(cairn: Cairn, limit: int) -> None:
    for number in range(12):
        name, fields = ("joke", {"topic": "t"}) if number % 3 else ("counter", {})
        await cairn.completed(name, fields)
    whole = (await cairn.get("/runs"))["items"]
    pages = await cairn.pages("/runs", limit=limit)
    assert [run for page in pages for run in page] == whole
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)
    jokes = await cairn.pages("/runs", limit=limit, workflow="joke", status="completed")
    assert [run for page in jokes for run in page] == [
        run for run in whole if run["workflow"] == "joke"
    ]


@pytest.mark.databases(seldom=True)
async def test_runs_that_come_while_one_turns_the_pages_disturb_none(cairn: Cairn) -> None:
    first = {(await cairn.completed("counter"))["id"] for _ in range(6)}
    page = await cairn.get("/runs", limit=2)
    seen = [run["id"] for run in page["items"]]
    while page["next_cursor"]:
        if len(seen) < 6:
            await cairn.completed("counter")
        page = await cairn.get("/runs", limit=2, cursor=page["next_cursor"])
        seen += [run["id"] for run in page["items"]]
    assert len(seen) == len(set(seen))
    assert first <= set(seen)


@pytest.mark.parametrize(
    "query",
    [
        {"stauts": "failed"},
        {"status": "done"},
        {"limit": "0"},
        {"limit": "-1"},
        {"limit": "many"},
        {"limit": "9" * 30},
        {"cursor": "nonsense"},
    ],
)
@pytest.mark.databases(seldom=True)
async def test_a_filter_that_makes_no_sense_is_refused_by_its_name(
    cairn: Cairn, query: dict[str, str]
) -> None:
    [name] = query
    refused(await cairn.http.get("/runs", params=query), 422, name)


async def test_a_run_that_nobody_started_is_not_there(cairn: Cairn) -> None:
    refused(await cairn.http.get(f"/runs/{NOBODY}"), 404, NOBODY)


# Failing


async def test_a_failed_run_says_what_failed_and_where(cairn: Cairn) -> None:
    started = await cairn.start("failing", {"fault": "logs"})
    run = await cairn.until(started, "failed")
    assert run.keys() == RUN
    assert run["error"] == {"type": "DiskIsFull", "message": "no room for logs", "step": "work"}
    assert run["result"] is None
    assert run["finished_at"] is not None
    assert steps(await cairn.checkpoints(run)) == ["prepare"]


async def test_a_failed_run_is_rerun_from_its_last_checkpoint_once_the_cause_is_mended(
    cairn: Cairn,
) -> None:
    failed = await cairn.until(await cairn.start("failing", {"fault": "logs"}), "failed")
    last = (await cairn.checkpoints(failed))[-1]
    again = await cairn.until(await cairn.rerun(last), "failed")
    assert again["error"] == failed["error"]
    gates.mended.add("logs")
    gates.executed.clear()
    rerun = await cairn.until(await cairn.rerun(last), "completed")
    assert rerun["result"] == "logs is done"
    assert gates.executed == ["work"]
    assert await cairn.get(f"/runs/{failed['id']}") == failed


BROKEN = """
from cairn import Event, StartEvent, StopEvent, Workflow, step
from tests.api import gates

class Price(Event):
    of: int

class Division(Workflow):
    @step
    async def read(self, ev: StartEvent) -> Price:
        gates.executed.append("read")
        return Price(of=ev.of)

    @step
    async def divide(self, ev: Price) -> StopEvent:
        gates.executed.append("divide")
        return StopEvent(result=1 / ev.of)
"""


async def test_a_failed_run_is_rerun_from_where_it_stood_once_the_code_is_mended(
    database: str, tmp_path: Path
) -> None:
    folder = tmp_path / "workflows"
    folder.mkdir()
    (folder / "division.py").write_text(BROKEN)
    async with serving(database, folder) as cairn:
        failed = await cairn.until(await cairn.start("division", {"of": 0}), "failed")
        assert failed["error"]["type"] == "ZeroDivisionError"
    (folder / "division.py").write_text(BROKEN.replace("1 / ev.of", "1 / ev.of if ev.of else 0"))
    async with serving(database, folder) as cairn:
        assert await cairn.get(f"/runs/{failed['id']}") == failed
        gates.executed.clear()
        last = (await cairn.checkpoints(failed))[-1]
        rerun = await cairn.until(await cairn.rerun(last), "completed")
        assert rerun["result"] == 0
        assert gates.executed == ["divide"]


async def test_what_cannot_be_stored_fails_the_step_that_wrote_it(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("unstorable"), "failed")
    assert run["error"]["step"] == "write"
    assert "socket" in run["error"]["message"]
    assert "object" in run["error"]["message"]
    assert steps(await cairn.checkpoints(run)) == []
    run = await cairn.until(await cairn.start("unstorable_result"), "failed")
    assert run["error"]["step"] == "end"
    assert "object" in run["error"]["message"]


@pytest.mark.parametrize("odd", ["infinity", "not a number", "huge", "surrogate", "nul"])
@pytest.mark.databases(seldom=True)
async def test_an_odd_result_is_shown_or_fails_its_step(cairn: Cairn, odd: str) -> None:
    shown = {"infinity": "inf", "not a number": "nan", "huge": 10**400, "nul": "\0"}
    run = await cairn.ended(await cairn.start("odd_result", {"odd": odd}))
    if run["status"] == "failed":
        assert run["error"]["step"] == "end"
    else:
        assert run["result"] == shown[odd]
    assert (await cairn.get("/runs"))["items"] == [run]
    await cairn.checkpoints(run, include="events")


# One context, many runs


@pytest.mark.databases(seldom=True)
async def test_the_second_run_of_a_context_waits_for_the_first(cairn: Cairn) -> None:
    context = await cairn.context("slow")
    first = await cairn.start("slow", {"gate": "first"}, context)
    second = await cairn.start("slow", {"gate": "second"}, context)
    await reached("first")
    assert (await cairn.get(f"/runs/{first['id']}"))["status"] == "running"
    queued = await cairn.get(f"/runs/{second['id']}")
    assert (queued["status"], queued["started_at"]) == ("queued", None)
    assert not gates.gates["second"].reached.is_set()
    open_gate("first")
    await reached("second")
    open_gate("second")
    first, second = await cairn.ended(first), await cairn.ended(second)
    assert time(first["finished_at"]) <= time(second["started_at"])


@pytest.mark.databases(seldom=True)
async def test_runs_of_one_context_go_one_after_another_in_order(cairn: Cairn) -> None:
    context = await cairn.context("counter")
    started = [await cairn.start("counter", {"by": 1}, context) for _ in range(12)]
    assert [(await cairn.ended(run))["result"] for run in started] == list(range(1, 13))


@pytest.mark.databases(seldom=True)
async def test_runs_started_at_once_in_one_context_lose_nothing(cairn: Cairn) -> None:
    context = await cairn.context("counter")
    started = await asyncio.gather(*(cairn.start("counter", {}, context) for _ in range(20)))
    ended = [await cairn.ended(run) for run in started]
    assert sorted(run["result"] for run in ended) == list(range(1, 21))


@pytest.mark.databases(seldom=True)
async def test_runs_of_different_contexts_go_at_the_same_time(cairn: Cairn) -> None:
    runs = [await cairn.start("slow", {"gate": name}) for name in ("a", "b", "c")]
    for name in ("a", "b", "c"):
        await reached(name)
    for name in ("a", "b", "c"):
        open_gate(name)
    for run in runs:
        await cairn.until(run, "completed")


@pytest.mark.databases(seldom=True)
async def test_the_next_run_of_a_context_starts_also_when_the_first_fails(cairn: Cairn) -> None:
    context = await cairn.context("failing")
    first = await cairn.start("failing", {"fault": "logs"}, context)
    gates.mended.add("mail")
    second = await cairn.start("failing", {"fault": "mail"}, context)
    await cairn.until(first, "failed")
    assert (await cairn.until(second, "completed"))["result"] == "mail is done"


async def test_a_run_may_refuse_to_wait_for_another(cairn: Cairn) -> None:
    first = await cairn.start("slow", {"gate": "g"})
    body = {
        "workflow": "slow",
        "start_event": {"gate": "h"},
        "context_id": first["context_id"],
        "if_busy": "reject",
    }
    await reached("g")
    refused(await cairn.http.post("/runs", json=body), 409)
    assert len((await cairn.get("/runs"))["items"]) == 1
    open_gate("g")
    await cairn.ended(first)
    open_gate("h")
    response = await cairn.http.post("/runs", json=body)
    assert response.status_code == 202
    await cairn.until(response.json(), "completed")


@pytest.mark.databases(seldom=True)
async def test_of_runs_that_refuse_to_wait_and_come_at_once_one_is_taken(cairn: Cairn) -> None:
    body = {
        "workflow": "slow",
        "start_event": {"gate": "g"},
        "context_id": await cairn.context("slow"),
        "if_busy": "reject",
    }
    responses = await asyncio.gather(*(cairn.http.post("/runs", json=body) for _ in range(10)))
    assert sorted(response.status_code for response in responses) == [202] + [409] * 9


@pytest.mark.databases(seldom=True)
async def test_if_busy_is_queue_or_reject(cairn: Cairn) -> None:
    refused(await cairn.http.post("/runs", json={**MATH, "if_busy": "panic"}), 422, "if_busy")
    response = await cairn.http.post("/runs", json={**MATH, "if_busy": "queue"})
    assert response.status_code == 202
    await cairn.ended(response.json())


@pytest.mark.databases(seldom=True)
async def test_no_more_runs_are_carried_forward_at_once_than_set(database: str) -> None:
    async with serving(database, max_active_runs=2, drain_seconds=0.1) as cairn:
        runs = [await cairn.start("slow", {"gate": gate}) for gate in ("a", "b", "c", "d")]
        await reached("a")
        await reached("b")
        assert [(await cairn.get(f"/runs/{run['id']}"))["status"] for run in runs[2:]] == [
            "queued",
            "queued",
        ]
        for gate in ("a", "b", "c", "d"):
            open_gate(gate)
        for run in runs:
            await cairn.until(run, "completed")


async def test_a_run_that_waits_takes_no_place_of_another(database: str) -> None:
    async with serving(database, max_active_runs=1) as cairn:
        waiting = [
            await cairn.until(await cairn.start(workflow, {"amount": 7}), "waiting")
            for workflow in ("approval", "mid_step", "approval")
        ]
        await cairn.completed("joke", {"topic": "math"})
        for run in waiting:
            await cairn.tell(run, "Verdict", approved=True)
        for run in waiting:
            await cairn.until(run, "completed")


# Cancelling


async def cancel(cairn: Cairn, run: Json) -> Json:
    """What the service says to a cancel."""
    response = await cairn.http.post(f"/runs/{run['id']}/cancel")
    assert response.status_code in {200, 202}, response.text
    seen: Json = response.json()
    assert seen.keys() == RUN
    return seen


@pytest.mark.databases(seldom=True)
async def test_a_running_run_is_cancelled_and_rerun_from_where_it_stood(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "g"})
    await reached("g")
    await cancel(cairn, run)
    cancelled = await cairn.until(run, "cancelled")
    assert cancelled["result"] is None
    assert cancelled["finished_at"] is not None
    open_gate("g")
    checkpoints = await cairn.checkpoints(run)
    assert steps(checkpoints) == ["arrive"]
    rerun = await cairn.until(await cairn.rerun(checkpoints[-1]), "completed")
    assert rerun["result"] == "through g"


@pytest.mark.databases(seldom=True)
async def test_a_rerun_that_has_no_slot_yet_is_cancelled_at_once(database: str) -> None:
    async with serving(database, max_active_runs=1) as cairn:
        done = await cairn.completed("joke", {"topic": "math"})
        first = (await cairn.checkpoints(done))[0]
        running = await cairn.start("slow", {"gate": "g"})
        await reached("g")
        rerun = await cairn.rerun(first)
        assert (rerun["status"], rerun["start_event"]) == ("queued", {"topic": "math"})
        assert (await cancel(cairn, rerun))["status"] == "cancelled"
        assert (await cairn.get(f"/runs/{rerun['id']}"))["status"] == "cancelled"
        open_gate("g")
        await cairn.until(running, "completed")
        assert (await cairn.get(f"/runs/{rerun['id']}"))["checkpoint_count"] == 0


@pytest.mark.databases(seldom=True)
async def test_a_waiting_run_is_cancelled(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
    await cancel(cairn, run)
    await cairn.until(run, "cancelled")
    said = {"type": "Verdict", "data": {"approved": True}}
    refused(await cairn.http.post(f"/runs/{run['id']}/events", json=said), 409, "cancelled")


@pytest.mark.databases(seldom=True)
async def test_a_queued_run_is_cancelled_and_never_starts(cairn: Cairn) -> None:
    context = await cairn.context("slow")
    first = await cairn.start("slow", {"gate": "first"}, context)
    second = await cairn.start("slow", {"gate": "second"}, context)
    third = await cairn.start("slow", {"gate": "third"}, context)
    await cancel(cairn, second)
    cancelled = await cairn.until(second, "cancelled")
    assert cancelled["started_at"] is None
    for gate in ("first", "third"):
        open_gate(gate)
    await cairn.until(first, "completed")
    await cairn.until(third, "completed")
    assert not gates.gates["second"].reached.is_set()
    assert await cairn.get(f"/runs/{second['id']}") == cancelled


@pytest.mark.databases(seldom=True)
async def test_the_next_run_of_a_context_starts_when_the_first_is_cancelled(cairn: Cairn) -> None:
    context = await cairn.context("slow")
    first = await cairn.start("slow", {"gate": "first"}, context)
    second = await cairn.start("slow", {"gate": "second"}, context)
    await reached("first")
    await cancel(cairn, first)
    await reached("second")
    open_gate("second")
    await cairn.until(second, "completed")


async def test_a_run_that_has_ended_stays_as_it_ended(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    assert await cancel(cairn, run) == run
    assert await cairn.get(f"/runs/{run['id']}") == run


@pytest.mark.databases(seldom=True)
async def test_a_run_may_be_cancelled_twice(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "g"})
    await reached("g")
    await asyncio.gather(*(cancel(cairn, run) for _ in range(5)))
    cancelled = await cairn.until(run, "cancelled")
    assert await cancel(cairn, run) == cancelled


@pytest.mark.databases(seldom=True)
async def test_a_run_that_nobody_started_is_not_cancelled(cairn: Cairn) -> None:
    refused(await cairn.http.post(f"/runs/{NOBODY}/cancel"), 404, NOBODY)


# Telling


@pytest.mark.parametrize(
    ("workflow", "result"), [("approval", "paid by ann"), ("mid_step", "7 paid")]
)
async def test_a_waiting_run_goes_on_with_the_answer(
    cairn: Cairn, workflow: str, result: str
) -> None:
    run = await cairn.until(await cairn.start(workflow, {"amount": 7}), "waiting")
    assert (run["result"], run["finished_at"]) == (None, None)
    await cairn.tell(run, "Verdict", approved=True, by="ann")
    assert (await cairn.until(run, "completed"))["result"] == result


@pytest.mark.parametrize("workflow", ["approval", "mid_step"])
@pytest.mark.databases(seldom=True)
async def test_a_waiting_run_waits_on_when_the_service_starts_again(
    database: str, workflow: str
) -> None:
    async with serving(database) as cairn:
        run = await cairn.until(await cairn.start(workflow, {"amount": 7}), "waiting")
    async with serving(database) as cairn:
        assert (await cairn.get(f"/runs/{run['id']}"))["status"] == "waiting"
        await cairn.tell(run, "Verdict", approved=False)
        assert "refused" in (await cairn.until(run, "completed"))["result"]


async def test_the_question_can_be_read_from_the_checkpoints(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 7}), "waiting")
    [asked] = await cairn.checkpoints(run, include="events", last_completed_step="ask")
    assert asked["output_event"] == {"type": "Question", "data": {"text": "pay 7?"}}


async def test_two_equal_events_are_two_events(cairn: Cairn) -> None:
    run = await cairn.start("voting")
    for _ in range(3):
        await cairn.tell(run, "Verdict", approved=True, by="ann")
    assert (await cairn.until(run, "completed"))["result"] == ["ann", "ann", "ann"]


async def test_events_are_heard_in_the_order_in_which_they_were_accepted(cairn: Cairn) -> None:
    run = await cairn.start("voting")
    for name in ("ann", "ben", "cy"):
        await cairn.tell(run, "Verdict", approved=True, by=name)
    assert (await cairn.until(run, "completed"))["result"] == ["ann", "ben", "cy"]


@pytest.mark.databases(seldom=True)
async def test_a_queued_run_hears_later_what_it_was_told(cairn: Cairn) -> None:
    context = await cairn.context("voting")
    first = await cairn.until(await cairn.start("voting", {}, context), "waiting")
    second = await cairn.start("voting", {"votes": 6}, context)
    for name in ("ann", "ben", "cy"):
        await cairn.tell(second, "Verdict", approved=True, by=name)
    assert (await cairn.get(f"/runs/{second['id']}"))["status"] == "queued"
    for _ in range(3):
        await cairn.tell(first, "Verdict", approved=True, by="dan")
    assert (await cairn.until(first, "completed"))["result"] == ["dan"] * 3
    heard = (await cairn.until(second, "completed"))["result"]
    assert heard == ["dan"] * 3 + ["ann", "ben", "cy"]


@pytest.mark.databases(seldom=True)
async def test_an_event_said_again_with_its_key_is_heard_once(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("voting"), "waiting")

    async def vote(key: str, name: str) -> int:
        response = await cairn.http.post(
            f"/runs/{run['id']}/events",
            json={"type": "Verdict", "data": {"approved": True, "by": name}},
            headers={"Idempotency-Key": key},
        )
        return response.status_code

    votes = [("a", "ann"), ("a", "ann"), ("b", "ben"), ("b", "ben"), ("c", "cy")]
    assert {await vote(*by) for by in votes} <= {200, 202}
    assert await vote("a", "eve") == 409
    assert (await cairn.until(run, "completed"))["result"] == ["ann", "ben", "cy"]


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
async def test_a_run_that_has_ended_hears_nothing(cairn: Cairn, status: str) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 7}), "waiting")
    match status:
        case "completed":
            await cairn.tell(run, "Verdict", approved=True)
        case "cancelled":
            await cancel(cairn, run)
        case "failed":
            run = await cairn.start("failing", {"fault": "logs"})
    await cairn.until(run, status)
    kind = "Prepared" if status == "failed" else "Verdict"
    data: Json = {"fault": "mail"} if status == "failed" else {"approved": True}
    response = await cairn.http.post(f"/runs/{run['id']}/events", json={"type": kind, "data": data})
    refused(response, 409, status)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"type": "Veredict", "data": {"approved": True}}, "Veredict"),
        ({"type": "", "data": {"approved": True}}, "type"),
        ({"type": "Verdict", "data": {"approved": "perhaps"}}, "approved"),
        ({"type": "Verdict", "data": {}}, "approved"),
        ({"type": "Verdict"}, "approved"),
        ({"type": "Verdict", "data": [True]}, "data"),
        ({"data": {"approved": True}}, "type"),
        ({"type": "Verdict", "data": {"approved": True}, "step": "decide"}, "step"),
        ([], "body"),
    ],
)
async def test_an_event_that_cannot_be_heard_is_refused_and_the_run_waits_on(
    cairn: Cairn, body: Any, word: str
) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 7}), "waiting")
    refused(await cairn.http.post(f"/runs/{run['id']}/events", json=body), 422, word)
    await cairn.tell(run, "Verdict", approved=True)
    await cairn.until(run, "completed")


@pytest.mark.databases(seldom=True)
async def test_a_run_that_nobody_started_is_told_nothing(cairn: Cairn) -> None:
    said = {"type": "Verdict", "data": {"approved": True}}
    refused(await cairn.http.post(f"/runs/{NOBODY}/events", json=said), 404, NOBODY)


# Statuses


async def test_a_run_is_found_by_each_of_its_statuses(cairn: Cairn) -> None:
    context = await cairn.context("slow")
    runs = {
        "running": await cairn.start("slow", {"gate": "g"}, context),
        "queued": await cairn.start("slow", {"gate": "g"}, context),
        "waiting": await cairn.start("approval", {"amount": 7}),
        "completed": await cairn.start("joke", {"topic": "math"}),
        "failed": await cairn.start("failing", {"fault": "logs"}),
        "cancelled": await cairn.start("slow", {"gate": "h"}),
    }
    await reached("g")
    await reached("h")
    await cancel(cairn, runs["cancelled"])
    for status, run in runs.items():
        seen = await cairn.until(run, status)
        assert await cairn.get("/runs", status=status) == {"items": [seen], "next_cursor": None}
