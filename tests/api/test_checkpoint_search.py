"""Checkpoints found across runs: by every filter, by fields of their events, in bounded steps."""

from collections.abc import Callable
from typing import Any

import pytest

from cairn.store import checkpoint_search
from tests.api.asking import NOBODY, Cairn, Json, refused
from tests.api.gates import open_gate

pytestmark = pytest.mark.databases


@pytest.fixture
async def runs(cairn: Cairn) -> dict[str, Json]:
    """Two jokes, a counter, a failed run, a rerun of the first joke, and a rerun of that."""
    open_gate("beside")
    first = await cairn.completed("joke", {"topic": "math"})
    other = await cairn.completed("joke", {"topic": "cats"})
    counted = await cairn.completed("counter", {"by": 3})
    failed = await cairn.until(await cairn.start("failing", {"fault": "disk"}), "failed")
    wrote = (await cairn.checkpoints(first))[1]
    rerun = await cairn.ended(await cairn.rerun(wrote))
    begun = (await cairn.checkpoints(first))[0]
    whole = await cairn.ended(await cairn.rerun(begun))
    deeper = await cairn.ended(await cairn.rerun((await cairn.checkpoints(whole))[0]))
    named = {"first": first, "other": other, "counted": counted, "failed": failed}
    return named | {"rerun": rerun, "whole": whole, "deeper": deeper}


async def found(cairn: Cairn, **query: Any) -> list[Json]:
    return [each for page in await cairn.pages("/checkpoints", **query) for each in page]


async def every(cairn: Cairn, runs: dict[str, Json]) -> list[Json]:
    """All the checkpoints, in the order of their making."""
    all_ = [each for run in runs.values() for each in await cairn.checkpoints(run)]
    return sorted(all_, key=lambda each: str(each["id"]))


async def test_all_are_found_in_either_order(cairn: Cairn, runs: dict[str, Json]) -> None:
    all_ = await every(cairn, runs)
    assert await found(cairn) == all_
    assert await found(cairn, limit=2, order="-created_at") == all_[::-1]
    with_events = await found(cairn, include="events", limit=3)
    assert with_events[1]["output_event"]["type"] == "JokeEvent"


async def test_each_filter_finds_what_it_says(cairn: Cairn, runs: dict[str, Json]) -> None:
    all_ = await every(cairn, runs)
    of = {name: run["id"] for name, run in runs.items()}
    await cairn.http.patch(f"/checkpoints/{all_[4]['id']}", json={"tags": ["good"]})
    all_[4] |= {"tags": ["good"]}
    jokes = {of[name] for name in ("first", "other", "rerun", "whole", "deeper")}
    moment = all_[6]["created_at"]
    wrote = (await cairn.checkpoints(runs["first"]))[1]
    newest = {each["run_id"]: each["id"] for each in all_}  # in the order of their making
    heads = set(newest.values())
    cases: list[tuple[Json, Callable[[Json], bool]]] = [
        ({"workflow": "joke"}, lambda c: c["run_id"] in jokes),
        ({"workflow": ["joke", "counter"]}, lambda c: c["run_id"] in jokes | {of["counted"]}),
        ({"run_id": of["other"]}, lambda c: c["run_id"] == of["other"]),
        (
            {"context_id": runs["first"]["context_id"]},
            lambda c: c["context_id"] == runs["first"]["context_id"],
        ),
        ({"run_status": "failed"}, lambda c: c["run_id"] == of["failed"]),
        (
            {"last_completed_step": ["generate_joke", "count"]},
            lambda c: c["last_completed_step"] in ("generate_joke", "count"),
        ),
        ({"input_event_type": "JokeEvent"}, lambda c: c["input_event_type"] == "JokeEvent"),
        (
            {"output_event_type": "StopEvent", "workflow": "joke"},
            lambda c: c["output_event_type"] == "StopEvent" and c["run_id"] in jokes,
        ),
        ({"created_after": moment}, lambda c: c["created_at"] >= moment),
        ({"created_before": moment}, lambda c: c["created_at"] < moment),
        ({"tag": ["good", "bad"]}, lambda c: c["tags"] == ["good"]),
        (
            {"descendant_of": of["first"]},
            lambda c: c["run_id"] in {of["rerun"], of["whole"], of["deeper"]},
        ),
        ({"descendant_of": wrote["id"]}, lambda c: c["run_id"] == of["rerun"]),
        ({"descendant_of": NOBODY}, lambda _: False),
        ({"is_head": "true"}, lambda c: c["id"] in heads),
        ({"is_head": "false"}, lambda c: c["id"] not in heads),
        ({"workflow": "nothing"}, lambda _: False),
        ({"workflow": "a\0"}, lambda _: False),
    ]
    for query, fits in cases:
        wanted = [each for each in all_ if fits(each)]
        for limit in (1, 3, 100):
            assert await found(cairn, limit=limit, **query) == wanted, query


FIELDS: list[tuple[Json, int]] = [
    ({"input_event.topic": "math"}, 2),
    ({"input_event.topic": "mat"}, 0),
    ({"input_event.topic__in": "math,cats,dogs"}, 3),
    ({"output_event.count": "3"}, 1),
    ({"output_event.count": "3.0"}, 1),
    ({"output_event.count": "x"}, 0),
    ({"output_event.count__lt": "3"}, 0),
    ({"output_event.count__le": "3"}, 1),
    ({"output_event.count__gt": "2.5"}, 1),
    ({"output_event.count__ge": "4"}, 0),
    ({"output_event.joke__exists": "true"}, 3),
    ({"output_event.joke__exists": "false", "last_completed_step": "generate_joke"}, 0),
    ({"input_event.topic": "math", "output_event.joke__exists": "true"}, 2),
    ({"output_event.count.deeper": "3"}, 0),
]


async def test_fields_of_events_are_tested_by_their_type(
    cairn: Cairn, runs: dict[str, Json]
) -> None:
    for test, number in FIELDS:
        for limit in (1, 100):
            assert len(await found(cairn, limit=limit, **test)) == number, test


async def test_within_one_run_a_text_may_contain_a_part(
    cairn: Cairn, runs: dict[str, Json]
) -> None:
    of = {"run_id": runs["first"]["id"]}
    assert len(await found(cairn, **of, **{"output_event.joke__contains": "mat"})) == 1
    assert await found(cairn, **of, **{"output_event.joke__contains": "cats"}) == []


async def test_a_page_looks_at_a_bounded_number_and_says_that_there_may_be_more(
    cairn: Cairn, runs: dict[str, Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_search, "EXAMINED", 4)
    monkeypatch.setattr(checkpoint_search, "STEP", 2)
    monkeypatch.setattr(checkpoint_search, "READ", 20)
    all_ = await every(cairn, runs)
    for order in ("created_at", "-created_at"):
        pages = await cairn.pages("/checkpoints", workflow="counter", order=order)
        assert len(pages) >= len(all_) // 4
        assert sum(map(len, pages)) == 3
    fields = await cairn.pages("/checkpoints", limit=1, **{"input_event.topic": "cats"})
    assert [len(page) for page in fields].count(1) == 1


IMPOSSIBLE: list[Json] = [
    {"colour": "red"},
    {"output_event": "x"},
    {"output_event.": "x"},
    {"output_event.score__near": "1"},
    {"output_event.score__contains": "1"},
    {"output_event.score__exists": "maybe"},
    {"output_event.score__lt": ""},
    {"output_event.score": ["1", "2"]},
    {"output_event.score__in": ",".join(map(str, range(101)))},
    {f"output_event.f{n}": "1" for n in range(11)},
    {"run_id": "x"},
    {"is_head": "perhaps"},
    {"order": "seq"},
    {"created_after": "2026-01-31"},
    {"cursor": "x"},
]


async def test_what_cannot_be_asked_is_refused_by_name(cairn: Cairn) -> None:
    for query in IMPOSSIBLE:
        problem = refused(await cairn.http.get("/checkpoints", params=query), 422)
        assert next(iter(query)).split(".")[0] in str(problem) or "fields" in str(problem)
