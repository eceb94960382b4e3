"""The entries of a stream are committed in the order of writing: a watcher misses none of them."""

import asyncio
import itertools
from typing import Any

import pytest

from cairn.engine.core.facts import Completed, Received, Sent
from cairn.engine.core.records import Head
from cairn.engine.library.rerun import recorded
from cairn.engine.values.sealed import SealedEvent
from cairn.store import claims, runs, stream
from cairn.store.database import Database
from cairn.store.journal import RunJournal
from cairn.store.positions import Position
from cairn.store.stream_entries import AT_ONCE
from tests.store.test_journal import START, Single

WORD = SealedEvent("Word", {"n": 1})
MANY = 3 * AT_ONCE
BESIDE = 20


async def test_entries_are_committed_in_the_order_of_writing_and_no_later_than_the_fact(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await database.write(runs.start, "single", START, None, True, None)
    claimed = await database.write(claims.claim, run_id, {"single"})
    assert claimed is not None
    graph, commit = Single().graph, database.commit
    commits: list[list[Position]] = []

    def noted(function: Any, item: Any, *args: Any, **given: Any) -> Any:
        entries = [Position(row["seq"], row["number"]) for row in item.stream]
        commits.append([*entries, *(Position(row["seq"], 0) for row in item.rows)])
        return commit(function, item, *args, **given)

    monkeypatch.setattr(database, "commit", noted)
    journal = RunJournal(database, claimed, graph.routes)
    snapshot = claimed.resume_point.snapshot
    begun = recorded(graph, run_id, Head(), snapshot, [Received(Sent(START))])
    await journal.append(begun, "running")
    (delivery,) = begun[-1].snapshot.pending()
    for _ in range(MANY):
        journal.written(WORD, delivery, 1)
    head = Head(begun[-1].id, 1)
    done = Completed(delivery.id, (), SealedEvent("StopEvent", {"result": "done"}))
    ended = recorded(graph, run_id, head, begun[-1].snapshot, [done])
    appended = journal.append(ended, "completed")
    for _ in range(BESIDE):  # as another step would, while the fact waits
        journal.written(WORD, delivery, 1)
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await appended
    for earlier, later in itertools.pairwise(commits):
        assert max(earlier) < min(later)
    page = await database.read(stream.page, run_id, None, 2 * MANY)
    kinds = [item.kind for item in page.items]
    assert kinds.count("stream") == MANY + BESIDE
    assert kinds[-2:] == ["checkpoint", "status"]
