"""Workers: the processes that drive runs, and who of them is alive."""

import os
import socket
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, bindparam, case, delete, insert, literal_column, update
from sqlmodel import Session, col, select

from cairn.engine.ids import new_id
from cairn.store import statements
from cairn.store.clock import now
from cairn.store.rows import RUNS
from cairn.store.tables import Worker

WORKERS: Table = Worker.__table__  # type: ignore[attr-defined]
BEAT = (  # made once: it is part of every transaction
    update(WORKERS)
    .where(WORKERS.c.id == bindparam("worker"), WORKERS.c.beats == bindparam("beaten"))
    .values(beats=WORKERS.c.beats + literal_column("1"))
)
IS_RUNNING = (RUNS.c.status == "running", 1)
OWN = "worker_id"  # in a session's `info`: the worker for whom it commits


def own(session: Session) -> UUID:
    """The worker of this process, under which the transaction commits."""
    worker: UUID = session.info[OWN]
    return worker


def host() -> str:
    """Where the numbers of processes mean the same: containers can share a name, and each numbers
    its own."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not on Linux
        return socket.gethostname()


def register(connection: Connection) -> UUID:
    """Make this process known as a worker."""
    worker = new_id()
    row = {"host": host(), "pid": os.getpid(), "beats": 0, "started_at": now()}
    connection.execute(insert(WORKERS), {"id": worker, **row})
    return worker


def beat(connection: Connection, worker: UUID, beats: int) -> bool:
    """Show that the worker is alive, and keep others from taking it for dead until the commit.

    Args:
        beats: how often it has committed before. What it has sent to the database twice, because
            the connection broke, is committed once: the second time, the number is another.

    Returns:
        Whether it still is a worker; otherwise its runs are not its own any more.
    """
    return statements.execute(connection, BEAT, [{"worker": worker, "beaten": beats}]) == 1


def beats(connection: Connection, worker: UUID) -> int | None:
    """How often it has committed; `None` if it is a worker no longer."""
    found = select(WORKERS.c.beats).where(WORKERS.c.id == worker)
    return connection.execute(found).scalar_one_or_none()


def others(session: Session, worker: UUID | None) -> list[Worker]:
    """All workers but this one."""
    return list(session.exec(select(Worker).where(col(Worker.id) != worker)).all())


def declare_dead(session: Session, worker: UUID, beats: int) -> bool:
    """Take a worker for dead, if it has not moved since: its runs are nobody's then, and any
    worker may take them up. Those that were going on may be what it has died of: it is counted."""
    dead = delete(WORKERS).where(WORKERS.c.id == worker, WORKERS.c.beats == beats)
    connection = session.connection()
    if connection.execute(dead).rowcount == 0:
        return False
    _release(connection, worker, recoveries=RUNS.c.recoveries + case(IS_RUNNING, else_=0))
    return True


def leave(connection: Connection, worker: UUID) -> None:
    """The worker drives no runs any more: others may, at once."""
    _release(connection, worker)
    connection.execute(delete(WORKERS).where(WORKERS.c.id == worker))


def _release(connection: Connection, worker: UUID, **values: Any) -> None:
    own = RUNS.c.worker_id == worker
    connection.execute(update(RUNS).where(own).values(worker_id=None, **values))
