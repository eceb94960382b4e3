"""Many checkpoints, in no time: the rows of one run, again and again, with ids of their own."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from app.engine.ids import new_id

Row = tuple[Any, ...]


def multiply(url: str, run_id: UUID, until: int) -> list[tuple[UUID, list[UUID]]]:
    """Copy the run and its checkpoints, within its context, until there are as many checkpoints.

    Returns:
        Each copy's id and those of its checkpoints.
    """
    return _sqlite(url, run_id, until) if "sqlite" in url else _postgresql(url, run_id, until)


def _sqlite(url: str, run_id: UUID, until: int) -> list[tuple[UUID, list[UUID]]]:
    made = []
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.row_factory = sqlite3.Row

        def rows(table: str, key: str, order: str) -> tuple[list[str], list[Row]]:
            query = f"SELECT * FROM {table} WHERE {key} = ? ORDER BY {order}"
            found = connection.execute(query, (run_id.bytes,)).fetchall()
            return found[0].keys(), [tuple(row) for row in found]

        runs, checkpoints = rows("runs", "id", "id"), rows("checkpoints", "run_id", "seq")
        for id_, ids in _ids(len(checkpoints[1]), until):
            for table, (names, copied) in (
                ("runs", _run(*runs, id_, _bytes)),
                ("checkpoints", _checkpoints(*checkpoints, id_, ids, _bytes)),
            ):
                places = ", ".join("?" * len(names))
                columns = ", ".join(names)
                connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", copied)
            made.append((id_, ids))
        connection.commit()
    return made


def _postgresql(url: str, run_id: UUID, until: int) -> list[tuple[UUID, list[UUID]]]:
    made = []
    with psycopg.connect(url) as connection, connection.cursor() as cursor:

        def rows(table: str, key: str, order: str) -> tuple[list[str], list[Row]]:
            query = sql.SQL("SELECT * FROM {} WHERE {} = %s ORDER BY {}")
            names = map(sql.Identifier, (table, key, order))
            found = cursor.execute(query.format(*names), (run_id,)).fetchall()
            return [column.name for column in cursor.description or ()], found

        runs, checkpoints = rows("runs", "id", "id"), rows("checkpoints", "run_id", "seq")
        for id_, ids in _ids(len(checkpoints[1]), until):
            for table, (names, copied) in (
                ("runs", _run(*runs, id_, _itself)),
                ("checkpoints", _checkpoints(*checkpoints, id_, ids, _itself)),
            ):
                columns = sql.SQL(", ").join(map(sql.Identifier, names))
                into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), columns)
                with cursor.copy(into) as copy:
                    for row in copied:
                        copy.write_row(row)
            made.append((id_, ids))
        connection.commit()
        cursor.execute("ANALYZE")  # as it does by itself, some time after
    return made


def _ids(each: int, until: int) -> Iterator[tuple[UUID, list[UUID]]]:
    for _ in range(until // each - 1):
        yield new_id(), [new_id() for _ in range(each)]


def _run(
    names: Sequence[str], rows: list[Row], id_: UUID, of: Callable[[UUID], Any]
) -> tuple[Sequence[str], list[Row]]:
    changed = {"id": of(id_), "root_run_id": of(id_)}
    return names, [_changed(names, rows[0], changed)]


def _checkpoints(
    names: Sequence[str], rows: list[Row], run: UUID, ids: list[UUID], of: Callable[[UUID], Any]
) -> tuple[Sequence[str], list[Row]]:
    parents = [None, *map(of, ids)]
    return names, [
        _changed(names, row, {"id": of(id_), "run_id": of(run), "parent_id": parent})
        for row, id_, parent in zip(rows, ids, parents, strict=False)
    ]


def _changed(names: Sequence[str], row: Row, changes: dict[str, Any]) -> Row:
    return tuple(changes.get(name, value) for name, value in zip(names, row, strict=True))


def _bytes(id_: UUID) -> bytes:
    return id_.bytes


def _itself(id_: UUID) -> UUID:
    return id_
