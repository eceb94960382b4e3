"""The floor of what Cairn writes: all the rows of its runs, in as many commits as a run has facts.

    queue.put(rows of a fact) -> BEGIN, beat, INSERT ..., UPDATE ..., COMMIT -> call_soon_threadsafe

Nothing else happens: no workflow is executed, nothing is checked, and what the rows hold is written
beforehand. Whoever wants to be listed by these filters and found after a crash cannot do less.
"""

import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Insert, Update

from cairn.engine.ids import new_id
from cairn.main import COLLECTOR
from cairn.store import migrations, statements, workers
from cairn.store.appending import ADD, ADD_CONTEXT, ADD_RUN, FINISH, LEAVE
from cairn.store.blobs import BLOBS, REFS, digest_of, insert_new
from cairn.store.clock import now
from cairn.store.connecting import checked, connected, for_writing
from cairn.store.rows import run_row
from tests.benchmarks.durable.contestants import Opened
from tests.benchmarks.durable.contestants.floor import Writer
from tests.benchmarks.durable.load import Load

Row = dict[str, Any]
Fact = dict[str, list[Row]]
"""What is written for it, by statement."""

FACETS = 1
START = b'{"type":"Start","data":{"steps":2,"size":1000,"touched":false}}'
ROUND = b'{"type":"Round","data":{"number":1,"steps":2,"size":1000,"touched":false}}'
STOP = b'{"type":"StopEvent","data":{"result":2}}'
PENDING = b'{"next_id":2,"deliveries":[[1,{"id":1,"step":"count","event":%b}]],"-deliveries":[1]%b}'
STATE = b'{"count":2,"value":{"$blob":"%b"}}'


def _connected(url: str) -> tuple[Callable[[Sequence[Fact]], None], Callable[[], None]]:
    engine = connected(checked(url), connections=2)
    migrations.prepare(engine)
    connection = for_writing(engine)
    with connection.begin():
        worker = workers.register(connection)
    beats = 0
    kind = engine.dialect.name
    inserts: dict[str, Insert] = {"context": ADD_CONTEXT, "run": ADD_RUN, "checkpoint": ADD}
    others: dict[str, Insert | Update] = {
        "blob": insert_new(kind, BLOBS),
        "use": insert_new(kind, REFS),
        "end": FINISH,
        "state": LEAVE,
    }

    def commit(facts: Sequence[Fact]) -> None:
        nonlocal beats
        rows: defaultdict[str, list[Row]] = defaultdict(list)
        for fact in facts:
            for name, some in fact.items():
                rows[name] += some
        for row in rows["run"]:
            row["worker_id"] = worker
        for row in rows["end"]:
            row["own"] = worker
        with connection.begin():
            workers.beat(connection, worker, beats)
            for name, insert in inserts.items():
                if rows[name]:
                    statements.insert(connection, insert, rows[name])
            for name, statement in others.items():
                if rows[name]:
                    statements.execute(connection, statement, rows[name])
        beats += 1

    def close() -> None:
        connection.close()
        engine.dispose()

    return commit, close


class _Run:
    """The rows of one run."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._id, self._context = new_id(), new_id()
        self._seq = 0
        self._parent: UUID | None = None
        self._digest = b""
        self._moment = now()

    def begins(self) -> Fact:
        """What stores the run, its context and the first checkpoint."""
        context = {"id": self._context, "workflow": "counting", "state": None}
        run = run_row(self._id, "counting", self._context, START, None, self._moment)
        return {
            "context": [context | {"created_at": self._moment}],
            "run": [run | {"status": "running", "started_at": self._moment}],
            "checkpoint": [self._checkpoint(None, START)],
        }

    def step(self, number: int) -> Fact:
        """What stores a step; the last ends the run."""
        fact: Fact = {}
        if (value := self._load.value(number)) is not None:
            content = f'"{value}"'.encode()
            self._digest = digest_of(content)
            fact["blob"] = [{"digest": self._digest, "content": content}]
            fact["use"] = [{"owner_id": self._id, "digest": self._digest}]
        is_last = number + 1 == self._load.steps
        fact["checkpoint"] = [self._checkpoint(ROUND, STOP if is_last else ROUND)]
        if is_last:
            fact["end"] = [self._end()]
            left = STATE % self._digest.hex().encode()
            fact["state"] = [{"context": self._context, "left": left}]
            kept = {"owner_id": self._context, "digest": self._digest}
            fact["use"] = [*fact.get("use", ()), kept]
        return fact

    def _checkpoint(self, taken: bytes | None, given: bytes) -> Row:
        id_, parent, self._seq = new_id(), self._parent, self._seq + 1
        self._parent = id_
        delta = PENDING % (given, b"" if taken is None else b',"state":[["count",2]]')
        return {
            "id": id_,
            "run_id": self._id,
            "seq": self._seq,
            "context_id": self._context,
            "facets_id": FACETS,
            "parent_id": parent,
            "input_event": taken,
            "output_event": given,
            "delta": delta,
            "whole": delta if parent is None else None,
            "fact": None,
            "created_at": self._moment,
        }

    def _end(self) -> Row:
        failure = dict.fromkeys(("type", "message", "step"))
        ended = {"run": self._id, "now": "completed", "stop": STOP, "ended": self._moment}
        return {**failure, **ended, "began": self._moment}


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Opened]:
    """Begin, on an empty database."""
    gc.freeze()  # as the service does: its modules need not be looked through again and again
    gc.set_threshold(*COLLECTOR)
    writer: Writer[Fact] = Writer(url, _connected)

    async def run(load: Load) -> int:
        rows = _Run(load)
        await writer.write(rows.begins())
        for number in range(load.steps):
            await writer.write(rows.step(number))
        return load.steps

    try:
        yield Opened(run)
    finally:
        writer.close()
