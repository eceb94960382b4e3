"""Many checkpoints, in no time: the rows of one run, again and again, with ids of their own."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from cairn.engine.ids import new_id

RUNS = 500
"""How many copies of the run are inserted at once."""

Row = tuple[Any, ...]
Names = Sequence[str]
Read = Callable[[str, str, UUID], tuple[Names, list[Row]]]
Insert = Callable[[str, Names, list[Row]], object]
Of = Callable[[UUID], Any]
"""An id as the database takes it."""

Copy = tuple[UUID, list[UUID]]
"""A run's id and those of its checkpoints, in order."""


def multiply(url: str, run_id: UUID, until: int) -> list[Copy]:
    """Copy the run and its checkpoints, within its context, until there are as many checkpoints."""
    opened = _sqlite if url.startswith("sqlite") else _postgresql
    with opened(url) as (read, insert, of):
        run_names, (run,) = read("runs", "id", run_id)
        names, rows = read("checkpoints", "run_id", run_id)
        rows.sort(key=lambda row: row[names.index("seq")])
        made = [(new_id(), [new_id() for _ in rows]) for _ in range(until // len(rows) - 1)]
        for start in range(0, len(made), RUNS):
            copies = made[start : start + RUNS]
            changes = [{"id": of(id_), "root_run_id": of(id_)} for id_, _ in copies]
            insert("runs", run_names, [_changed(run_names, run, change) for change in changes])
            copied = [row for copy in copies for row in _checkpoints(names, rows, copy, of)]
            insert("checkpoints", names, copied)
    return made


def _checkpoints(names: Names, rows: list[Row], copy: Copy, of: Of) -> Iterator[Row]:
    run, ids = of(copy[0]), [of(id_) for id_ in copy[1]]
    for row, id_, parent in zip(rows, ids, [None, *ids], strict=False):
        yield _changed(names, row, {"id": id_, "run_id": run, "parent_id": parent})


def _changed(names: Names, row: Row, changes: dict[str, Any]) -> Row:
    return tuple(changes.get(name, value) for name, value in zip(names, row, strict=True))


@contextmanager
def _sqlite(url: str) -> Iterator[tuple[Read, Insert, Of]]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:

        def read(table: str, key: str, id_: UUID) -> tuple[Names, list[Row]]:
            found = connection.execute(f"SELECT * FROM {table} WHERE {key} = ?", (id_.bytes,))
            return [column[0] for column in found.description], found.fetchall()

        def insert(table: str, names: Names, rows: list[Row]) -> None:
            places = ", ".join("?" * len(names))
            into = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"
            connection.executemany(into, rows)

        yield read, insert, lambda id_: id_.bytes
        connection.commit()


@contextmanager
def _postgresql(url: str) -> Iterator[tuple[Read, Insert, Of]]:
    with psycopg.connect(url) as connection, connection.cursor() as cursor:

        def read(table: str, key: str, id_: UUID) -> tuple[Names, list[Row]]:
            query = sql.SQL("SELECT * FROM {} WHERE {} = %s")
            cursor.execute(query.format(sql.Identifier(table), sql.Identifier(key)), (id_,))
            return [column.name for column in cursor.description or ()], cursor.fetchall()

        def insert(table: str, names: Names, rows: list[Row]) -> None:
            columns = sql.SQL(", ").join(map(sql.Identifier, names))
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)
            with cursor.copy(into) as copy:
                for row in rows:
                    copy.write_row(row)

        yield read, insert, lambda id_: id_
        connection.commit()
        cursor.execute("ANALYZE")  # as it does by itself, some time after
