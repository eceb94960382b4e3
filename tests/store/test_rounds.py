"""A round of the poller looks at no run that has ended, nor at one that only waits."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlmodel import Session

from cairn.store import claims
from cairn.store.connecting import checked, connected
from cairn.store.migrations import upgrade

LOADED = ("joke", "order")


@pytest.mark.parametrize(
    ("look", "indexes"),
    [
        (claims.orphaned, ["runs_orphaned", "runs_to_wake", "runs_orphaned", "runs_"]),
        (claims.keeping, ["runs_keeping"]),
        (lambda session, loaded: claims.suspects(session, None, loaded), ["runs_suspected"]),
    ],
    ids=["what goes on", "what keeps events", "what is suspected"],
)
def test_each_look_is_into_the_part_of_an_index_that_holds_what_it_looks_for(
    tmp_path: Path, look: Any, indexes: list[str]
) -> None:
    engine = connected(checked(f"sqlite:///{tmp_path / 'cairn.db'}"), 2)
    upgrade(engine)
    asked: list[tuple[str, Any]] = []
    with engine.connect() as connection, Session(connection) as session:
        event.listen(
            engine, "before_cursor_execute", lambda *it: asked.append((it[2], it[3])), named=False
        )
        look(session, LOADED)
        plans = []
        for statement, values in list(asked):
            driver = connection.connection.driver_connection
            assert driver is not None
            plans.append(driver.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall())
    engine.dispose()
    steps = [next(step for *_, step in plan if "runs" in step) for plan in plans]
    assert all(f"INDEX {index}" in step for index, step in zip(indexes, steps, strict=True)), steps
