"""Group commit: what has gathered is committed together, and there is an end to what gathers."""

import asyncio
from collections.abc import Sequence
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import Connection

from app.errors import Unavailable
from app.store import workers
from app.store.database import QUEUE, Database

BOUND = 10  # seconds


class Recording:
    """A function that writes nothing, and remembers what it was given together."""

    def __init__(self, impossible: int | None = None) -> None:
        self.groups: list[list[int]] = []
        self._impossible = impossible

    def __call__(self, _: Connection, __: UUID | None, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        if self._impossible in items:
            raise ValueError("one of them is impossible")
        return [-item for item in items]


class Blocking:
    """A function that the writer is busy with until somebody opens."""

    def __init__(self) -> None:
        self.reached, self.opened = Event(), Event()

    def __call__(self, _: Connection, __: UUID | None, items: Sequence[None]) -> list[None]:
        self.reached.set()
        assert self.opened.wait(BOUND)
        return list(items)


async def test_what_comes_in_one_turn_of_the_loop_is_committed_together(
    database: Database,
) -> None:
    function = Recording()
    commits = [database.commit(function, number, is_patient=True) for number in range(100)]
    outcomes = await asyncio.gather(*commits)
    assert outcomes == [-number for number in range(100)]
    assert function.groups == [list(range(100))]


async def test_what_comes_while_a_commit_goes_on_is_committed_together_next(
    database: Database,
) -> None:
    blocking, function = Blocking(), Recording()
    under_way = database.commit(blocking, None, is_patient=True)
    await asyncio.to_thread(blocking.reached.wait, BOUND)
    commits = []
    for number in range(5):
        commits.append(database.commit(function, number, is_patient=True))
        await asyncio.sleep(0)
    blocking.opened.set()
    await asyncio.gather(under_way, *commits)
    assert function.groups == [[0, 1, 2, 3, 4]]


async def test_what_comes_before_a_transaction_has_written_joins_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    function, reached, opened = Recording(), Event(), Event()

    def slow(connection: Connection, worker: UUID, beats: int) -> bool:
        reached.set()
        assert opened.wait(BOUND)
        return beat(connection, worker, beats)

    beat = workers.beat
    monkeypatch.setattr(workers, "beat", slow)
    first = database.commit(function, 1, is_patient=True)
    await asyncio.to_thread(reached.wait, BOUND)
    second = database.commit(function, 2, is_patient=True)
    await asyncio.sleep(0)
    opened.set()
    assert [await first, await second] == [-1, -2]
    assert function.groups == [[1, 2]]


async def test_what_cannot_be_committed_keeps_nobody_else_from_it(database: Database) -> None:
    function = Recording(impossible=2)
    commits = [database.commit(function, number, is_patient=True) for number in (1, 2, 3)]
    first, second, third = await asyncio.gather(*commits, return_exceptions=True)
    assert (first, third) == (-1, -3)
    assert isinstance(second, ValueError)
    assert function.groups == [[1, 2, 3], [1], [2], [3]]


async def test_who_can_ask_again_is_refused_where_too_much_waits_and_a_run_is_not(
    database: Database,
) -> None:
    blocking, function = Blocking(), Recording()
    under_way = database.commit(blocking, None, is_patient=True)
    await asyncio.to_thread(blocking.reached.wait, BOUND)
    half = QUEUE // 2
    waiting = [database.commit(function, number, is_patient=False) for number in range(half)]
    await asyncio.sleep(0)  # these are in the queue, the others are on their way to it
    waiting += [database.commit(function, half + n, is_patient=False) for n in range(half)]
    with pytest.raises(Unavailable, match="more to write than can be written") as refusal:
        database.commit(function, QUEUE, is_patient=False)
    assert refusal.value.retry_after == 1
    waiting.append(database.commit(function, QUEUE, is_patient=True))
    blocking.opened.set()
    await asyncio.gather(under_way, *waiting)
    assert sorted(number for group in function.groups for number in group) == [*range(QUEUE + 1)]
    assert await database.commit(function, 0, is_patient=False) == 0


async def test_what_was_to_be_committed_is_when_the_database_is_closed(database_url: str) -> None:
    database, function = Database(database_url), Recording()
    database.open()
    commit = database.commit(function, 1, is_patient=True)
    database.close()
    assert await commit == -1
    assert function.groups == [[1]]


async def test_who_goes_away_meanwhile_keeps_nobody_from_hearing(database: Database) -> None:
    function = Recording()
    gone, other = (database.commit(function, number, is_patient=True) for number in (1, 2))
    gone.cancel()
    assert await other == -2
    assert function.groups == [[1, 2]]
