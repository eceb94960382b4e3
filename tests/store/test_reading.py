"""Reading, in threads: whoever awaits it can be stopped at any moment."""

import asyncio
import time
from threading import Event

import pytest

from cairn.store.database import Database

BOUND = 10  # seconds


@pytest.mark.parametrize("turns", range(6))
async def test_who_is_stopped_as_an_answer_comes_is_stopped(database: Database, turns: int) -> None:
    began, go_on = Event(), Event()

    def answer(_: object) -> bool:
        began.set()
        return go_on.wait(BOUND)

    async def read_and_wait() -> None:
        await database.read(answer)
        await asyncio.Event().wait()

    task = asyncio.create_task(read_and_wait())
    await asyncio.to_thread(began.wait, BOUND)
    go_on.set()
    # The answer comes, and the event loop has yet to hear of it.
    time.sleep(0.05)  # noqa: ASYNC251
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    _, still = await asyncio.wait([task], timeout=BOUND / 10)
    assert not still
    assert task.cancelled()
