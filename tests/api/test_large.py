"""Large payloads: whoever asks for something else is served meanwhile, and lists have an end."""

import asyncio
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel

from cairn import apart
from cairn.api.responses import json_response
from tests.api import gates
from tests.api.asking import Cairn, read, serving
from tests.api.gates import BOUND

LARGE = "x" * 200_000

GATED = """
from pydantic import field_validator

from cairn import StartEvent, StopEvent, Workflow, step
from tests.api import gates


class Begin(StartEvent):
    text: str

    @field_validator("text")
    @classmethod
    def look(cls, text: str) -> str:
        gates.looked_at.set()
        assert gates.may_go_on.wait(gates.BOUND)
        return text


class GatedFlow(Workflow):
    @step
    async def end(self, ev: Begin) -> StopEvent:
        return StopEvent()
"""


@pytest.mark.databases
async def test_what_is_large_is_left_out_of_the_list_of_runs_and_given_with_the_run(
    cairn: Cairn,
) -> None:
    small, large = [await cairn.completed("joke", {"topic": it}) for it in ("x" * 60_000, LARGE)]
    only_result = await cairn.completed("joke", {"topic": "x" * 63_870})
    listed = (await cairn.get("/runs"))["items"]
    assert listed == [
        only_result | {"result": None, "omitted": ["result"]},
        large | {"start_event": None, "result": None, "omitted": ["start_event", "result"]},
        small,
    ]
    assert large["start_event"] == {"topic": LARGE}
    assert small["omitted"] == large["omitted"] == []


@pytest.mark.databases
async def test_pages_of_runs_end_by_bytes_and_show_each_once(cairn: Cairn) -> None:
    runs = [await cairn.start("joke", {"topic": "x" * 60_000}) for _ in range(40)]
    ended = [await cairn.ended(run) for run in runs]
    pages = await cairn.pages("/runs", limit=1000)
    assert [len(page) for page in pages] == [33, 7]
    assert [run for page in pages for run in page] == ended[::-1]


@pytest.mark.databases
async def test_pages_of_checkpoints_end_by_the_bytes_of_their_events(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "x" * 1_300_000})
    bare = await cairn.checkpoints(run)
    for path in (f"/runs/{run['id']}/checkpoints", f"/contexts/{run['context_id']}/checkpoints"):
        pages = await cairn.pages(path, include="events")
        assert [len(page) for page in pages] == [2, 1]
        assert [c["id"] for page in pages for c in page] == [c["id"] for c in bare]
        for filtered in ({"input_event_type": "JokeEvent"}, {"output_event_type": "StartEvent"}):
            [[one]] = await cairn.pages(path, include="events", **filtered)
            assert len(one["output_event"]["data"].popitem()[1]) >= 1_300_000


@pytest.mark.databases
async def test_an_item_larger_than_a_page_has_a_page_of_its_own(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "x" * 4_100_000})
    pages = await cairn.pages(f"/runs/{run['id']}/checkpoints", include="events")
    assert [len(page) for page in pages] == [1, 1, 1]


async def test_others_are_served_while_a_large_event_is_looked_at(
    database: str, tmp_path: Path
) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "gated.py").write_text(GATED)
    body = {"workflow": "gated", "start_event": {"text": LARGE}}
    async with serving(database, tmp_path / "workflows") as cairn:
        start = asyncio.create_task(cairn.http.post("/runs", json=body))
        assert await asyncio.to_thread(gates.looked_at.wait, BOUND)
        await cairn.get("/health/live")
        assert not start.done()
        gates.may_go_on.set()
        response = await start
        assert response.status_code == 202, response.text
        await cairn.until(read(response), "completed")


class Thread(BaseModel):
    id: int


@pytest.mark.parametrize(
    ("payload", "is_apart"),
    [
        (LARGE, True),
        ({"a": [LARGE]}, True),
        ({LARGE: 1}, True),
        ([["a"] * 10] * 10_000, True),
        (dict.fromkeys(range(100_000)), True),
        (None, False),
        ("x" * 50_000, False),
        ([("a", {"b": "x" * 1_000})] * 50, False),
    ],
    ids=["text", "deep", "key", "many", "numbers", "nothing", "short", "few"],
)
async def test_large_answers_are_written_in_a_thread_and_others_at_once(
    payload: object, is_apart: bool
) -> None:
    response = await json_response(payload, lambda: Thread(id=threading.get_ident()))
    thread = Thread.model_validate_json(bytes(response.body)).id
    assert (thread != threading.get_ident()) == is_apart


async def test_few_large_payloads_are_at_work_at_once() -> None:
    at_work = most = 0
    lock, full = threading.Lock(), threading.Barrier(apart.AT_ONCE)

    def work() -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        full.wait(BOUND)
        with lock:
            at_work -= 1

    await asyncio.gather(*(apart.do(work) for _ in range(3 * apart.AT_ONCE)))
    assert most == apart.AT_ONCE
