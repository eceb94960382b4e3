"""Lists of runs: filtered, in either order, counted, and all of them as lines."""

import json
from typing import Any

import pytest

from cairn.store import run_search
from tests.api.asking import NOBODY, Cairn, Json, refused

LINES = {"Accept": "application/x-ndjson"}

pytestmark = pytest.mark.databases(seldom=True)


@pytest.fixture
async def runs(cairn: Cairn) -> dict[str, Json]:
    """Some runs of several kinds, by name, in the order in which they were accepted."""
    context = await cairn.context("joke")
    made = {
        "first": await cairn.completed("joke", {"topic": "math"}, context),
        "failed": await cairn.ended(await cairn.start("failing", {"fault": "logs"})),
        "waiting": await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting"),
        "second": await cairn.completed("joke", {"topic": "art"}),
    }
    origin = (await cairn.checkpoints(made["first"]))[0]
    made["rerun"] = await cairn.until(await cairn.rerun(origin), "completed")
    again = (await cairn.checkpoints(made["rerun"]))[0]
    made["rerun of it"] = await cairn.until(await cairn.rerun(again), "completed")
    return made


async def found(cairn: Cairn, runs: dict[str, Json], **query: Any) -> list[str]:
    """The names of the runs of a list."""
    names = {run["id"]: name for name, run in runs.items()}
    return [names[run["id"]] for page in await cairn.pages("/runs", **query) for run in page]


async def test_runs_are_found_by_each_filter_and_by_several(
    cairn: Cairn, runs: dict[str, Json]
) -> None:
    first, rerun = runs["first"], runs["rerun"]
    reruns = ["rerun of it", "rerun"]
    expected: list[tuple[Json, list[str]]] = [
        ({}, [*reruns, "second", "waiting", "failed", "first"]),
        ({"workflow": "joke"}, [*reruns, "second", "first"]),
        ({"workflow": ["approval", "failing"]}, ["waiting", "failed"]),
        ({"workflow": "none"}, []),
        ({"workflow": "a\0b"}, []),
        ({"workflow": ["a\0b", "approval"]}, ["waiting"]),
        ({"status": ["waiting", "failed", "failed"]}, ["waiting", "failed"]),
        ({"status": "queued"}, []),
        ({"workflow": ["joke", "failing"], "status": "failed"}, ["failed"]),
        ({"workflow": ["joke", "approval"], "status": ["completed", "waiting"]},
         [*reruns, "second", "waiting", "first"]),
        ({"context_id": first["context_id"]}, [*reruns, "first"]),
        ({"context_id": first["context_id"], "workflow": "approval"}, []),
        ({"parent_run_id": first["id"]}, ["rerun"]),
        ({"root_run_id": first["id"]}, [*reruns, "first"]),
        ({"root_run_id": rerun["id"]}, []),
        ({"root_run_id": first["id"], "parent_run_id": rerun["id"]}, ["rerun of it"]),
        ({"origin_checkpoint_id": rerun["origin_checkpoint_id"]}, ["rerun"]),
        ({"origin_checkpoint_id": NOBODY}, []),
        ({"error_type": "DiskIsFull"}, ["failed"]),
        ({"error_type": ["KeyError", "DiskIsFull"], "error_step": "work"}, ["failed"]),
        ({"error_step": "prepare"}, []),
        ({"error_step": ["work", "prepare"], "workflow": "joke"}, []),
        ({"error_type": "DiskIsFull", "status": "waiting"}, []),
        ({"created_after": runs["second"]["created_at"]}, [*reruns, "second"]),
        ({"created_before": runs["second"]["created_at"]}, ["waiting", "failed", "first"]),
        ({"created_after": runs["failed"]["created_at"], "workflow": "joke",
          "created_before": rerun["created_at"]}, ["second"]),
        ({"finished_after": runs["failed"]["finished_at"]}, [*reruns, "second", "failed"]),
        ({"finished_before": runs["failed"]["finished_at"]}, ["first"]),
        ({"finished_before": "2999-12-31T00:00:00-10:00", "status": "failed"}, ["failed"]),
    ]  # fmt: skip
    for query, names in expected:
        assert await found(cairn, runs, **query) == names, query
        assert await found(cairn, runs, limit=1, **query) == names, query
        turned = await found(cairn, runs, order="created_at", limit=2, **query)
        assert turned == names[::-1], query
        counted = await cairn.get("/runs", count="true", limit=1, **query)
        assert counted["count"] == {"value": len(names), "relation": "exact"}, query


async def test_more_values_than_are_searched_side_by_side_find_the_same(
    cairn: Cairn, runs: dict[str, Json]
) -> None:
    names = ["joke", "approval", *(f"none {n}" for n in range(18))]
    statuses = ["completed", "waiting", "failed"]
    many = {"workflow": names, "status": statuses}
    assert len(names) * len(statuses) > run_search.MANY
    wanted = ["rerun of it", "rerun", "second", "waiting", "first"]
    assert await found(cairn, runs, limit=2, **many) == wanted


@pytest.mark.parametrize("order", ["created_at", "-created_at"])
async def test_pages_stay_right_while_more_runs_come_in(
    cairn: Cairn, runs: dict[str, Json], order: str
) -> None:
    page = await cairn.get("/runs", limit=2, order=order)
    seen = [run["id"] for run in page["items"]]
    while page["next_cursor"]:
        runs[f"new {len(seen)}"] = await cairn.completed("counter") if len(seen) < 6 else {"id": ""}
        page = await cairn.get("/runs", limit=2, order=order, cursor=page["next_cursor"])
        seen += [run["id"] for run in page["items"]]
    old = [run["id"] for name, run in runs.items() if not name.startswith("new")]
    new = [run["id"] for name, run in runs.items() if name.startswith("new") and run["id"]]
    assert seen == ([*old, *new] if order == "created_at" else old[::-1])


async def test_a_cursor_of_one_order_is_refused_in_the_other(
    cairn: Cairn, runs: dict[str, Json]
) -> None:
    orders = ["created_at", "-created_at"]
    for order, other in (orders, orders[::-1]):
        cursor = (await cairn.get("/runs", limit=1, order=order))["next_cursor"]
        response = await cairn.http.get("/runs", params={"order": other, "cursor": cursor})
        assert refused(response, 422)["type"] == "/problems/invalid-cursor"


async def test_a_count_ends_at_a_bound_and_says_so(
    cairn: Cairn, runs: dict[str, Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    for most, expected in (
        (6, {"value": 6, "relation": "exact"}),
        (5, {"value": 5, "relation": "at_least"}),
    ):
        monkeypatch.setattr(run_search, "COUNTED", most)
        assert (await cairn.get("/runs", count="true"))["count"] == expected
    page = await cairn.get("/runs", count="true", workflow="a\0b")
    assert page["count"] == {"value": 0, "relation": "exact"}
    assert (await cairn.get("/runs", count="false")).keys() == {"items", "next_cursor"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("created_after", "2026-01-31T12:00:00", "without an offset"),
        ("created_before", "2026-01-31", "without an offset"),
        ("finished_after", "yesterday", "ISO 8601"),
        ("finished_before", "1769860800", "ISO 8601"),
        ("created_after", "2026-01-31T13:00:00 01:00", "%2B"),
        ("created_after", "0001-01-01T00:00:00+14:00", "ISO 8601"),
        ("created_after", "", "ISO 8601"),
        ("status", "done", "completed"),
        ("order", "finished_at", "created_at"),
        ("parent_run_id", "nope", "UUID"),
        ("count", "some", "boolean"),
        ("workflow", ["joke"] * 21, "20"),
    ],
)
async def test_a_value_that_no_filter_takes_is_refused_by_its_name(
    cairn: Cairn, name: str, value: str | list[str], words: str
) -> None:
    problem = refused(await cairn.http.get("/runs", params={name: value}), 422, words)
    assert {tuple(error["where"][:2]) for error in problem["errors"]} == {("query", name)}


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"])
@pytest.mark.parametrize("name", ["created_after", "created_before", "finished_before"])
async def test_moments_may_lie_at_the_ends_of_time(cairn: Cairn, name: str, moment: str) -> None:
    if moment.startswith("9999"):
        refused(await cairn.http.get("/runs", params={name: moment}), 422, "ISO 8601")
        moment = "9999-12-31T23:59:59Z"
    assert (await cairn.get("/runs", **{name: moment}))["items"] == []


# As lines


async def lines(cairn: Cairn, **query: Any) -> list[Json]:
    """The runs that a stream has."""
    response = await cairn.http.get("/runs", params=query, headers=LINES)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert response.headers["vary"] == "Accept"
    assert not response.content or response.text.endswith("\n")
    return [json.loads(line) for line in response.text.splitlines()]


async def test_all_runs_come_as_lines_that_are_the_items_of_the_pages(
    cairn: Cairn, runs: dict[str, Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cairn.service.run_lists.AT_A_TIME", 2)
    items = (await cairn.get("/runs"))["items"]
    assert await lines(cairn) == items
    assert await lines(cairn, order="created_at") == items[::-1]
    assert await lines(cairn, workflow="joke", status="completed") == [
        run for run in items if run["workflow"] == "joke"
    ]
    for limit in (1, 2, 3, 5, 6, 1000):
        assert await lines(cairn, limit=limit) == items[:limit], "it is the number in all"
    cursor = (await cairn.get("/runs", limit=2))["next_cursor"]
    assert await lines(cairn, cursor=cursor) == items[2:]
    assert await lines(cairn, workflow="none") == []


async def test_a_stream_goes_through_all_the_pages_however_few_of_their_runs_match(
    cairn: Cairn, runs: dict[str, Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_search, "LOOKED_AT", 1)
    late = {"finished_after": runs["second"]["finished_at"], "limit": 2}
    assert [run["id"] for run in await lines(cairn, **late)] == [
        runs["rerun of it"]["id"],
        runs["rerun"]["id"],
    ]
    assert len(await lines(cairn, finished_before=runs["failed"]["finished_at"])) == 1


async def test_a_stream_holds_a_page_at_a_time(
    cairn: Cairn, runs: dict[str, Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cairn.service.run_lists.AT_A_TIME", 2)
    app = cairn.http._transport.app  # type: ignore[attr-defined]
    lists = app.state.service.run_lists
    sizes = []
    read = lists.page

    async def counted(*args: Any) -> Any:
        page = await read(*args)
        sizes.append(len(page.items))
        return page

    monkeypatch.setattr(lists, "page", counted)
    assert len(await lines(cairn)) == 6
    assert sizes == [2, 2, 2]


async def test_what_is_refused_is_refused_before_a_stream_begins(
    cairn: Cairn, runs: dict[str, Json]
) -> None:
    for query, words in (
        ({"cursor": "nope"}, "cursor"),
        ({"count": "true"}, "no count"),
        ({"colour": "red"}, "colour"),
    ):
        refused(await cairn.http.get("/runs", params=query, headers=LINES), 422, words)


@pytest.mark.parametrize(
    ("accept", "is_lines"),
    [
        ("application/x-ndjson", True),
        ("Application/X-NDJSON; charset=utf-8", True),
        ("application/json;q=0.5, application/x-ndjson", True),
        ("application/x-ndjson;q=0.9, */*;q=0.1", True),
        ("application/json, application/x-ndjson", False),
        ("application/x-ndjson;q=0", False),
        ("*/*", False),
        ("text/html", False),
        ("", False),
    ],
)
async def test_lines_are_given_to_who_prefers_them(
    cairn: Cairn, accept: str, is_lines: bool
) -> None:
    response = await cairn.http.get("/runs", headers={"Accept": accept})
    kind = response.headers["content-type"].split(";")[0]
    assert kind == ("application/x-ndjson" if is_lines else "application/json")
