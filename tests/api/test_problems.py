"""Refusals: each is a problem that says what to do, and none says more than it should."""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.asking import NOBODY, Cairn, Json, read, refused, serving

JSON = {"content-type": "application/json"}
MATH = {"workflow": "joke", "start_event": {"topic": "math"}}


async def ready(cairn: Cairn) -> None:
    """The service is as well as it was."""
    assert await cairn.get("/health/live") == await cairn.get("/health/ready") == {"status": "ok"}
    await cairn.completed("joke", {"topic": "still well"})


# What nobody reads


async def test_a_query_that_nobody_reads_is_refused_wherever_it_goes(cairn: Cairn) -> None:
    paths = (await cairn.get("/openapi.json"))["paths"]
    for path, operations in paths.items():
        for method in operations:
            url = re.sub(r"{\w+}", NOBODY, path)
            response = await cairn.http.request(method, f"{url}?colour=red", json={})
            refused(response, 422, "query.colour")
            nothing = await cairn.http.request(method, f"{url}?&", json={})
            assert "colour" not in nothing.text
            assert nothing.status_code != 422 or nothing.json()["errors"]
    await ready(cairn)


@pytest.mark.parametrize(
    ("path", "name", "values"),
    [
        ("/runs", "order", ("created_at", "-created_at")),
        ("/runs", "limit", ("7", "7")),
        ("/runs", "context_id", (NOBODY, NOBODY)),
        ("/runs/{run}/checkpoints", "last_completed_step", ("generate_joke", "critique_joke")),
        ("/contexts/{context}/checkpoints", "include", ("events", "events")),
    ],
)
async def test_a_filter_that_is_given_twice_is_refused_by_its_name(
    cairn: Cairn, path: str, name: str, values: tuple[str, str]
) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    url = path.format(run=run["id"], context=run["context_id"])
    response = await cairn.http.get(url, params={name: values})
    problem = refused(response, 422, "more than once")
    assert [error["where"] for error in problem["errors"]] == [["query", name]]


# What is not there


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/runs//checkpoints",
        "/runs/{id}/nowhere",
        "/checkpoint",
        "/..%2f..%2fetc/passwd",
        "/runs/%00",
        "/%ff",
    ],
)
async def test_a_path_that_leads_nowhere_is_a_404(cairn: Cairn, path: str) -> None:
    refused(await cairn.http.get(path), 404)


UNKNOWN = [NOBODY, "nope", "1", NOBODY[:-1], f"{NOBODY}0", "%00", "%F0%9F%8E%B2", "%ED%A0%80"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/runs/{}"),
        ("GET", "/runs/{}/checkpoints"),
        ("POST", "/runs/{}/cancel"),
        ("POST", "/runs/{}/events"),
        ("GET", "/contexts/{}"),
        ("GET", "/contexts/{}/checkpoints"),
        ("GET", "/checkpoints/{}"),
        ("POST", "/checkpoints/{}/rerun"),
        ("GET", "/workflows/{}"),
    ],
)
async def test_an_id_that_nothing_has_is_unknown_whatever_it_looks_like(
    cairn: Cairn, method: str, path: str
) -> None:
    body = {"type": "Verdict", "data": {"approved": True}} if "events" in path else None
    for unknown in (*UNKNOWN, "a" * 3000):
        refused(await cairn.http.request(method, path.format(unknown), json=body), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/runs", {"GET", "POST"}),
        ("PUT", f"/runs/{NOBODY}", {"DELETE", "GET", "PATCH"}),
        ("GET", f"/runs/{NOBODY}/cancel", {"POST"}),
        ("PATCH", "/contexts", {"POST"}),
        ("GET", "/contexts", {"POST"}),
        ("GET", f"/checkpoints/{NOBODY}/rerun", {"POST"}),
        ("POST", "/health/live", {"GET"}),
        ("POST", "/workflows", {"GET"}),
        ("BREW", "/workflows", {"GET"}),
    ],
)
async def test_a_method_that_is_not_for_this_path_is_told_which_are(
    cairn: Cairn, method: str, path: str, allowed: set[str]
) -> None:
    response = await cairn.http.request(method, path)
    refused(response, 405)
    assert set(response.headers["allow"].split(", ")) - {"HEAD", "OPTIONS"} == allowed


async def test_head_and_options_are_answered_or_refused_like_any_method(cairn: Cairn) -> None:
    for path in ("/runs", "/health/live", "/openapi.json", "/docs"):
        for method in ("HEAD", "OPTIONS"):
            response = await cairn.http.request(method, path)
            assert response.status_code in {200, 204, 405}
    for path in ("/health/live", "/health/ready"):
        assert (await cairn.http.head(path)).status_code == 200, "monitors ask so"
        refusal = await cairn.http.post(path)
        refused(refusal, 405)
        assert refusal.headers["allow"] == "GET, HEAD"
    refused(await cairn.http.options("/runs"), 405)
    refused(await cairn.http.options("/nowhere"), 404)


async def test_a_client_that_accepts_only_html_is_answered_in_json_all_the_same(
    cairn: Cairn,
) -> None:
    refused(await cairn.http.get(f"/runs/{NOBODY}", headers={"accept": "text/html"}), 404)


# What is not JSON


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"workflow": "joke"',
        b"{'workflow': 'joke'}",
        b'{"workflow": "joke",}',
        b'{"workflow": "joke"} {}',
        b"nonsense",
        b"\xff\xfe",
        b'{"workflow": "\xff"}',
        b'{"workflow": "joke", "start_event": {"topic": NaN}}',
        b'{"workflow": "joke", "start_event": {"topic": -Infinity}}',
        b'{"workflow": "joke", "start_event": {"topic": "a\nb"}}',
        b'{"workflow": "joke", "start_event": {"topic": 01}}',
        b" ",
    ],
)
async def test_a_body_that_is_not_json_is_a_400(cairn: Cairn, body: bytes) -> None:
    refused(await cairn.http.post("/runs", content=body, headers=JSON), 400)
    assert (await cairn.get("/runs"))["items"] == []


@pytest.mark.parametrize("path", ["/contexts", "/runs/{}/events", "/checkpoints/{}/rerun"])
async def test_every_endpoint_refuses_what_is_not_json(cairn: Cairn, path: str) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
    of = (await cairn.checkpoints(run))[0] if "rerun" in path else run
    refused(await cairn.http.post(path.format(of["id"]), content=b"{", headers=JSON), 400)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "nonsense", ""]
)
async def test_a_body_that_does_not_say_it_is_json_is_a_415(cairn: Cairn, kind: str) -> None:
    body = json.dumps(MATH)
    response = await cairn.http.post("/runs", content=body, headers={"content-type": kind})
    refused(response, 415, "application/json")
    assert (await cairn.get("/runs"))["items"] == []


async def test_a_form_and_a_file_are_a_415(cairn: Cairn) -> None:
    refused(await cairn.http.post("/runs", data={"workflow": "joke"}), 415)
    refused(await cairn.http.post("/runs", files={"workflow": b"joke"}), 415)


@pytest.mark.parametrize(
    "kind",
    ["application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"],
)
async def test_a_body_may_say_that_it_is_json_in_any_way(cairn: Cairn, kind: str) -> None:
    body = json.dumps(MATH)
    response = await cairn.http.post("/runs", content=body, headers={"content-type": kind})
    assert response.status_code == 202
    await cairn.ended(read(response))


@pytest.mark.parametrize("path", ["/runs", "/contexts", "/runs/{}/events"])
async def test_a_body_that_is_missing_is_refused(cairn: Cairn, path: str) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
    for headers in ({}, JSON):
        response = await cairn.http.post(path.format(run["id"]), headers=headers)
        assert response.status_code in {400, 422}
        refused(response, response.status_code)


@pytest.mark.parametrize("body", [None, [], "joke", 1, True, {}, {"workflow": None}])
async def test_a_body_of_another_shape_is_a_422(cairn: Cairn, body: Any) -> None:
    content = json.dumps(body)
    for path in ("/runs", "/contexts"):
        problem = refused(await cairn.http.post(path, content=content, headers=JSON), 422)
        assert all(error["where"][0] == "body" for error in problem["errors"])


@pytest.mark.parametrize("start_event", [[], "math", 1, True, [{"topic": "math"}]])
async def test_a_start_event_that_is_no_object_is_refused(cairn: Cairn, start_event: Any) -> None:
    body = {"workflow": "joke", "start_event": start_event}
    refused(await cairn.http.post("/runs", json=body), 422, "start_event")


async def test_every_thing_that_is_wrong_is_named(cairn: Cairn) -> None:
    body = {"workflow": 1, "start_event": [], "context_id": "nope", "if_busy": "?", "more": 1}
    problem = refused(await cairn.http.post("/runs", json=body), 422)
    assert {error["where"][1] for error in problem["errors"]} == body.keys()


async def test_of_very_many_things_that_are_wrong_only_some_are_named(cairn: Cairn) -> None:
    body = {"workflow": "joke"} | {f"more {number}": 1 for number in range(999)}
    response = await cairn.http.post("/contexts", json=body)
    problem = refused(response, 422, "more 99", "and 899 more")
    assert len(problem["errors"]) == 100
    body["one more"] = 1
    refused(await cairn.http.post("/contexts", json=body), 422, "1001 fields")


@pytest.mark.parametrize("key", ["", "k" * 201])
async def test_a_key_that_is_empty_or_too_long_is_refused(cairn: Cairn, key: str) -> None:
    response = await cairn.http.post("/runs", json=MATH, headers={"Idempotency-Key": key})
    refused(response, 422, "Idempotency-Key")


# Too large

LIMIT = 2_000


@pytest.fixture
async def small(database: str) -> AsyncIterator[Cairn]:
    """A service that takes only small bodies."""
    async with serving(database, max_body_bytes=LIMIT) as cairn:
        yield cairn


def of_size(size: int) -> bytes:
    """A body that starts a run, and has so many bytes."""
    body = json.dumps({"workflow": "joke", "start_event": {"topic": "{}"}})
    return body.replace("{}", "x" * (size - len(body) + 2)).encode()


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 100):
        yield body[start : start + 100]


async def test_a_body_of_just_the_limit_is_taken(small: Cairn) -> None:
    for body in (of_size(LIMIT), in_pieces(of_size(LIMIT))):
        response = await small.http.post("/runs", content=body, headers=JSON)
        assert response.status_code == 202
        await small.until(read(response), "completed")


async def test_a_body_over_the_limit_is_refused_with_the_limit(small: Cairn) -> None:
    response = await small.http.post("/runs", content=of_size(LIMIT + 1), headers=JSON)
    refused(response, 413, str(LIMIT))


async def test_a_body_in_pieces_that_does_not_say_its_length_is_refused_too(small: Cairn) -> None:
    content = in_pieces(of_size(LIMIT + 1))
    response = await small.http.post("/runs", content=content, headers=JSON)
    assert "content-length" not in response.request.headers
    refused(response, 413, str(LIMIT))
    assert (await small.get("/runs"))["items"] == []


async def test_a_body_that_never_ends_is_refused_long_before(small: Cairn) -> None:
    read_pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read_pieces
        while read_pieces < 10_000:
            read_pieces += 1
            yield b" " * 100

    refused(await small.http.post("/runs", content=endless(), headers=JSON), 413)
    assert read_pieces <= LIMIT // 100 + 2


async def test_every_endpoint_has_the_limit(small: Cairn) -> None:
    run = await small.until(await small.start("approval", {"amount": 1}), "waiting")
    [checkpoint, *_] = await small.checkpoints(run)
    for path in (
        "/contexts",
        f"/runs/{run['id']}/events",
        f"/checkpoints/{checkpoint['id']}/rerun",
        f"/runs/{run['id']}/cancel",
    ):
        refused(await small.http.post(path, content=of_size(LIMIT + 1), headers=JSON), 413)
    await small.tell(run, "Verdict", approved=True)
    await small.until(run, "completed")


async def test_the_limit_is_ten_megabytes_unless_set(cairn: Cairn) -> None:
    refused(await cairn.http.post("/runs", content=of_size(10_000_001), headers=JSON), 413)
    response = await cairn.http.post("/runs", content=of_size(10_000_000), headers=JSON)
    assert response.status_code == 202
    run = await cairn.until(read(response), "completed")
    assert len(run["start_event"]["topic"]) > 9_900_000


# Odd values


@pytest.mark.parametrize(
    "topic",
    [
        "",
        " ",
        "Привет, 世界 🎲",
        "e\u0301\u202e\ufeff",
        "a\0b",
        "\x01\x1f\x7f\x85\u2028",
        "\U0010ffff\uffff",
        "'; DROP TABLE runs; --",
        "{ev.topic} %s {} ${x}",
        "x" * 100_000,
        0,
        -0.0,
        1e308,
        2**63,
        -(2**64),
        10**400,
        0.1,
        True,
        None,
        [],
        {},
        [[["a"], {"b": None}], 1.5, {"": {"type": "StartEvent", "data": {}}}],
        {"__type__": "x", "$ref": "#/", "__class__": "y", "py/object": "os.system"},
    ],
    ids=lambda topic: repr(topic)[:20],
)
async def test_any_json_value_comes_back_as_it_was(cairn: Cairn, topic: Any) -> None:
    response = await cairn.http.post(
        "/runs",
        content=json.dumps({"workflow": "joke", "start_event": {"topic": topic}}),
        headers=JSON,
    )
    assert response.status_code == 202, response.text
    run = await cairn.until(read(response), "completed")
    assert run["start_event"] == {"topic": topic}
    assert type(run["start_event"]["topic"]) is type(topic)
    assert run["result"] == f"a critique of a joke about {topic}"
    [start, *_] = await cairn.checkpoints(run, include="events")
    assert start["output_event"]["data"] == {"topic": topic}


SURROGATE = '"\\ud800"'
DEEP = "[" * 50_000 + "]" * 50_000
DEEP_OBJECT = '{"a":' * 50_000 + "1" + "}" * 50_000


@pytest.mark.parametrize(
    "start_event",
    [
        f'{{"topic": {SURROGATE}}}',
        f"{{{SURROGATE}: 1}}",
        f'{{"topic": [{{{SURROGATE}: 1}}]}}',
        f'{{"topic": {DEEP}}}',
        f'{{"topic": {DEEP_OBJECT}}}',
        f'{{"topic": {"[" * 500 + "]" * 500}}}',
        '{"topic": 1e400}',
        f'{{"topic": {"9" * 5_000}}}',
        f'{{"topic": -{"9" * 5_000}.5}}',
        f'{{"topic": 1e{"9" * 50}}}',
        '{"topic": 1, "topic": 2}',
        '{"_topic": 1}',
        '{"__class__": 1}',
        '{"model_config": 1, "topic": 1}',
        '{"self": 1, "cls": 1, "topic": 1}',
        '{"get": 1, "topic": 1}',
        '{"": 1}',
        json.dumps({f"key {number}": number for number in range(5_000)}),
    ],
    ids=lambda text: text[:30],
)
async def test_an_odd_start_event_is_run_or_refused_and_harms_nobody(
    cairn: Cairn, start_event: str
) -> None:
    body = f'{{"workflow": "joke", "start_event": {start_event}}}'
    response = await cairn.http.post("/runs", content=body, headers=JSON)
    if response.status_code == 202:
        run = await cairn.ended(read(response))
        for page in ("/runs", f"/runs/{run['id']}/checkpoints"):
            await cairn.get(page)
        for checkpoint in await cairn.checkpoints(run, include="events"):
            await cairn.get(f"/checkpoints/{checkpoint['id']}")
    else:
        assert response.status_code in {400, 422}
        refused(response, response.status_code)
        assert (await cairn.get("/runs"))["items"] == []
    await ready(cairn)


@pytest.mark.parametrize("odd", [SURROGATE, '"\\u0000"', '"a\\nb"', '"🎲"', f'"{"x" * 100_000}"'])
@pytest.mark.parametrize("name", ["workflow", "context_id", "if_busy", "unknown"])
async def test_odd_text_anywhere_in_a_body_is_refused(cairn: Cairn, name: str, odd: str) -> None:
    fields = {"workflow": '"joke"', "start_event": "{}", name: odd}
    body = "{" + ",".join(f'"{key}": {value}' for key, value in fields.items()) + "}"
    response = await cairn.http.post("/runs", content=body, headers=JSON)
    assert response.status_code in {400, 404, 422}
    refused(response, response.status_code)


@pytest.mark.parametrize("odd", [SURROGATE, '"\\u0000"', DEEP, "1e400", f'"{"x" * 100_000}"'])
@pytest.mark.parametrize("name", ["type", "data", "unknown", "by"])
async def test_an_odd_event_is_heard_or_refused_and_the_run_waits_on(
    cairn: Cairn, name: str, odd: str
) -> None:
    run = await cairn.until(await cairn.start("voting"), "waiting")
    fields = {"type": '"Verdict"', "data": '{"approved": true}', name: odd}
    if name == "by":
        fields["data"] = f'{{"approved": true, "by": {fields.pop("by")}}}'
    body = "{" + ",".join(f'"{key}": {value}' for key, value in fields.items()) + "}"
    response = await cairn.http.post(f"/runs/{run['id']}/events", content=body, headers=JSON)
    votes = 3
    if response.status_code == 202:
        votes = 2
    else:
        assert response.status_code in {400, 422}
        refused(response, response.status_code)
    for _ in range(votes):
        await cairn.tell(run, "Verdict", approved=True)
    await cairn.until(run, "completed")


@pytest.mark.parametrize("odd", ["\0", "\ud7ff", "%", "_", "'", "x" * 5_000, "🎲", "a&b=c", "\n"])
async def test_odd_text_in_a_query_finds_nothing_or_is_refused(cairn: Cairn, odd: str) -> None:
    for name in ("workflow", "status", "context_id", "limit", "cursor", "unknown"):
        response = await cairn.http.get("/runs", params={name: odd})
        if response.status_code == 200:
            assert read(response) == {"items": [], "next_cursor": None}
        else:
            refused(response, 422, name)


@pytest.mark.parametrize("query", ["workflow=%FF", "workflow=%ED%A0%80", "%FF=1", "=", "&&&", "a"])
async def test_a_query_that_is_not_text_finds_nothing_or_is_refused(
    cairn: Cairn, query: str
) -> None:
    response = await cairn.http.get(f"/runs?{query}")
    if response.status_code == 200:
        assert read(response) == {"items": [], "next_cursor": None}
    else:
        assert response.status_code in {400, 422}
        refused(response, response.status_code)


@pytest.mark.parametrize("key", [b"\xff", b"\xf0\x9f\x8e\xb2", b"a b", b"'", b"\x7f"])
async def test_an_odd_key_is_a_key_or_refused(cairn: Cairn, key: bytes) -> None:
    headers = {b"Idempotency-Key": key}
    responses = [await cairn.http.post("/runs", json=MATH, headers=headers) for _ in range(2)]
    for response in responses:
        if response.status_code != 202:
            refused(response, 422, "Idempotency-Key")
    if responses[0].status_code == 202:
        run = read(responses[0])
        assert read(responses[1])["id"] == run["id"]
        await cairn.ended(run)


# What nobody expected


async def test_an_unexpected_error_says_nothing_of_the_inside(cairn: Cairn, database: str) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    [checkpoint, *_] = await cairn.checkpoints(run)
    break_into(database)
    for method, path, body in (
        ("GET", "/runs", None),
        ("GET", f"/runs/{run['id']}", None),
        ("GET", f"/checkpoints/{checkpoint['id']}", None),
        ("GET", f"/contexts/{run['context_id']}/checkpoints", None),
        ("POST", "/contexts", {"workflow": "joke"}),
        ("POST", "/runs", MATH),
        ("POST", f"/checkpoints/{checkpoint['id']}/rerun", None),
    ):
        response = await cairn.http.request(method, path, json=body)
        assert response.status_code >= 500, f"{method} {path}"
        problem = refused(response, response.status_code)
        for inside in (database, "cairn.db", "table", "OperationalError", "runs."):
            assert inside not in json.dumps(problem)
    assert await cairn.get("/health/live") == {"status": "ok"}


def break_into(database: str) -> None:
    """Take away all tables while the service is up."""
    with sqlite3.connect(database.removeprefix("sqlite:///"), timeout=10) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        for (name,) in names:
            connection.execute(f'DROP TABLE "{name}"')
    connection.close()
    assert names


async def test_a_service_whose_tables_are_gone_is_not_ready(cairn: Cairn, database: str) -> None:
    break_into(database)
    refused(await cairn.http.get("/health/ready"), 503)
    assert (await cairn.http.head("/health/ready")).status_code == 503


async def test_the_error_of_a_step_is_told_without_its_traceback(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("failing", {"fault": "logs"}), "failed")
    told = json.dumps(run)
    assert "no room for logs" in told
    assert "Traceback" not in told
    assert str(Path(__file__).parent) not in told


async def test_requests_that_are_refused_at_once_leave_the_service_well(cairn: Cairn) -> None:
    bad: list[Json] = [{"workflow": "jest"}, {"workflow": 1}, {}, {**MATH, "context_id": NOBODY}]
    responses = await asyncio.gather(*(cairn.http.post("/runs", json=body) for body in bad * 25))
    assert {response.status_code for response in responses} == {404, 422}
    await ready(cairn)
