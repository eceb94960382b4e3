"""Group commit: what has gathered is committed together, and there is an end to what gathers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from threading import Barrier, Event
from uuid import UUID

import pytest
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import OperationalError

from cairn.errors import Unavailable
from cairn.store import workers
from cairn.store.database import QUEUE, Database

BOUND = 10  # seconds


class Recording:
    """A function that writes nothing, and remembers what it was given together."""

    def __init__(self, impossible: int | None = None) -> None:
        self.groups: list[list[int]] = []
        self.error: Exception | None = None
        self._impossible = impossible

    def __call__(self, _: Connection, __: UUID | None, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        if self.error is not None:
            raise self.error
        if self._impossible in items:
            raise ValueError("one of them is impossible")
        return [-item for item in items]


@asynccontextmanager
async def busy(database: Database) -> AsyncIterator[None]:
    """While the writer is busy: whatever is to be committed gathers."""
    reached, opened = Event(), Event()

    def block(_: Connection, __: UUID | None, items: Sequence[None]) -> list[None]:
        reached.set()
        assert opened.wait(BOUND)
        return list(items)

    under_way = database.commit(block, None, is_patient=True)
    await asyncio.to_thread(reached.wait, BOUND)
    yield
    opened.set()
    await under_way


async def test_what_comes_while_a_commit_goes_on_is_committed_together_next(
    database: Database,
) -> None:
    function, commits = Recording(), []
    async with busy(database):
        for number in range(5):
            commits.append(database.commit(function, number, is_patient=True))
            await asyncio.sleep(0)
    assert await asyncio.gather(*commits) == [0, -1, -2, -3, -4]
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
    opened.set()
    assert [await first, await second] == [-1, -2]
    assert function.groups == [[1, 2]]


async def test_what_cannot_be_committed_keeps_nobody_else_from_it(database: Database) -> None:
    function = Recording(impossible=2)
    async with busy(database):
        commits = [database.commit(function, number, is_patient=True) for number in (1, 2, 3)]
    first, second, third = await asyncio.gather(*commits, return_exceptions=True)
    assert (first, third) == (-1, -3)
    assert isinstance(second, ValueError)
    assert function.groups == [[1, 2, 3], [1], [2], [3]]


async def test_who_can_ask_again_is_refused_where_too_much_waits_and_a_run_is_not(
    database: Database,
) -> None:
    function = Recording()
    async with busy(database):
        waiting = [database.commit(function, number, is_patient=False) for number in range(QUEUE)]
        with pytest.raises(Unavailable, match="more to write than can be written") as refusal:
            database.commit(function, QUEUE, is_patient=False)
        assert refusal.value.retry_after == 1
        waiting.append(database.commit(function, QUEUE, is_patient=True))
    await asyncio.gather(*waiting)
    assert [number for group in function.groups for number in group] == [*range(QUEUE + 1)]
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
    async with busy(database):
        gone, other = (database.commit(function, number, is_patient=True) for number in (1, 2))
        gone.cancel()
    assert await other == -2
    assert function.groups == [[1, 2]]


async def test_what_was_out_of_reach_for_too_long_is_said_to_all_at_once(database_url: str) -> None:
    function, database = Recording(), Database(database_url, wait_seconds=0.2)
    database.open()
    try:
        function.error = OperationalError("COMMIT", None, Exception("the line is cut"))
        async with busy(database):
            commits = [database.commit(function, number, is_patient=True) for number in range(20)]
        outcomes = await asyncio.gather(*commits, return_exceptions=True)
        said = "The database is out of reach: the log tells why."
        assert [str(outcome) for outcome in outcomes] == [said] * 20
        assert function.groups[1:]
        assert all(group == [*range(20)] for group in function.groups)
        function.error = None
        assert await database.commit(function, 1, is_patient=True) == -1
    finally:
        database.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_two_services_that_lock_each_other_out_both_come_through(
    database: Database, other: Database
) -> None:
    both_hold_one = Barrier(2)

    def in_order(*locks: int) -> Callable[[Connection, UUID | None, Sequence[str]], Sequence[str]]:
        has_met = False

        def lock(connection: Connection, _: UUID | None, items: Sequence[str]) -> Sequence[str]:
            nonlocal has_met
            for number in locks:
                connection.execute(select(func.pg_advisory_xact_lock(number)))
                if not has_met:
                    has_met = True
                    both_hold_one.wait(BOUND)
            return items

        return lock

    one = database.commit(in_order(1, 2), "one", is_patient=False)
    two = other.commit(in_order(2, 1), "two", is_patient=False)
    assert [await one, await two] == ["one", "two"]
