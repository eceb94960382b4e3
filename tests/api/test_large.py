"""Large payloads: whoever asks for something else is served meanwhile, and lists have an end."""

import asyncio
import threading
from pathlib import Path

import pytest
from pydantic import BaseModel

from app import apart
from app.api.answering import answered
from tests.api import gates
from tests.api.asking import read, serving
from tests.api.gates import BOUND

LARGE = "x" * 200_000

GATED = """
from pydantic import field_validator

from app.engine import StartEvent, StopEvent, Workflow, step
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
    response = await answered(payload, lambda: Thread(id=threading.get_ident()))
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
