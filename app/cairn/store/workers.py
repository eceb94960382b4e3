"""Workers: the processes that drive runs, and their signs of life."""

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
BEAT = (  # made once: the statement is part of every transaction
    update(WORKERS)
    .where(WORKERS.c.id == bindparam("worker"), WORKERS.c.beats == bindparam("beaten"))
    .values(beats=WORKERS.c.beats + literal_column("1"))
)
IS_RUNNING = (RUNS.c.status == "running", 1)
OWN = "worker_id"  # in a session's `info`: the worker of the transaction


def own(session: Session) -> UUID:
    """The worker of this process, for which the session's transaction commits."""
    worker: UUID = session.info[OWN]
    return worker


def host() -> str:
    """A name of the place within which process ids are unique.

    Containers can share a host name, and each has process ids of its own.
    """
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not on Linux
        return socket.gethostname()


def register(connection: Connection) -> UUID:
    """Make this process known as a worker, and return the worker's id."""
    worker = new_id()
    row = {"host": host(), "pid": os.getpid(), "beats": 0, "started_at": now()}
    connection.execute(insert(WORKERS), {"id": worker, **row})
    return worker


def beat(connection: Connection, worker: UUID, beats: int) -> bool:
    """Show that the worker is alive; until the commit no process can declare it dead.

    Args:
        connection: a connection within the transaction.
        worker: the worker.
        beats: the number of the worker's commits before. A transaction that is sent twice, because
            the connection broke, is committed once: the second time the number is wrong.

    Returns:
        False if the worker was declared dead: its runs are no longer its own.
    """
    return statements.execute(connection, BEAT, [{"worker": worker, "beaten": beats}]) == 1


def beats(connection: Connection, worker: UUID) -> int | None:
    """The number of the worker's commits; `None` if the worker was declared dead."""
    found = select(WORKERS.c.beats).where(WORKERS.c.id == worker)
    return connection.execute(found).scalar_one_or_none()


def others(session: Session, worker: UUID | None) -> list[Worker]:
    """All workers but this one."""
    return list(session.exec(select(Worker).where(col(Worker.id) != worker)).all())


def declare_dead(session: Session, worker: UUID, beats: int) -> bool:
    """Declare a worker dead, if its beats stand where they were last seen.

    The worker's runs have no worker then, and any worker may take them up. A run that was going on
    may have caused the death: its recoveries are counted up.

    Args:
        session: the session.
        worker: the worker.
        beats: the number of the worker's commits, as last seen.

    Returns:
        True if the worker was declared dead.
    """
    dead = delete(WORKERS).where(WORKERS.c.id == worker, WORKERS.c.beats == beats)
    connection = session.connection()
    if connection.execute(dead).rowcount == 0:
        return False
    _release(connection, worker, recoveries=RUNS.c.recoveries + case(IS_RUNNING, else_=0))
    return True


def leave(connection: Connection, worker: UUID) -> None:
    """Remove the worker: other workers may take up its runs at once."""
    _release(connection, worker)
    connection.execute(delete(WORKERS).where(WORKERS.c.id == worker))


def _release(connection: Connection, worker: UUID, **values: Any) -> None:
    own = RUNS.c.worker_id == worker
    connection.execute(update(RUNS).where(own).values(worker_id=None, **values))
