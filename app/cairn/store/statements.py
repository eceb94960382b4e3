"""Statements that are part of very many transactions, given to the driver without a detour.

SQLAlchemy makes the text of a statement once. Given the text, the driver takes a tenth of the time
that SQLAlchemy takes to execute the statement.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Delete, Insert, Select, Update, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError

from cairn.store.chunks import chunks

MANY = 64  # keys looked up by one statement, at most

COPIED = 8  # rows that are worth a COPY, at least

Row = Mapping[str, Any]
Process = Callable[[Any], Any]


class _Text(NamedTuple):
    """A statement as a driver takes it.

    Attributes:
        text: the statement, with parameters by place.
        places: the names of the parameters, in their order in the text.
        take: returns the parameters' values from a row, in that order.
        makes: by place, a function that makes the driver's value of a parameter.
        own: the values of parameters that are always the same, by name.
        types: PostgreSQL's names for the parameters' types, in order.
        results: for each column returned, a function that makes its Python value; or `None`.
    """

    text: str
    places: tuple[str, ...]
    take: Callable[[Row], tuple[Any, ...]]
    makes: tuple[tuple[int, Process], ...]
    own: Row
    types: tuple[str, ...]
    results: tuple[Process | None, ...]

    def arguments(self, row: Row) -> list[Any]:
        """The row's values, in the order of their places."""
        values = [*self.take({**self.own, **row} if self.own else row)]
        for place, make in self.makes:
            values[place] = make(values[place])
        return values


def execute(
    connection: Connection, statement: Insert | Update | Delete, rows: Sequence[Row]
) -> int:
    """Execute the statement with each of the rows.

    PostgreSQL inserts many rows by an array for each column, in half the time of one row after
    another.

    Args:
        connection: a connection.
        statement: the statement; its parameters are named as the keys of the rows.
        rows: the values of the parameters, one mapping for each execution.

    Returns:
        The number of rows of the table that were changed.

    Raises:
        DBAPIError: the driver has refused, as in SQLAlchemy.
    """
    made = _made(connection.dialect.name, statement)
    with _errors(connection, made.text):
        driver = connection.connection.cursor()
        given = [made.arguments(row) for row in rows]
        if len(rows) == 1:
            driver.execute(made.text, given[0])
        elif isinstance(statement, Insert) and connection.dialect.name == "postgresql":
            columns = [list(values) for values in zip(*given, strict=True)]
            driver.execute(_from_columns(statement), columns)
        else:
            driver.executemany(made.text, given)
        return int(driver.rowcount)


def insert(connection: Connection, statement: Insert, rows: Sequence[Row]) -> None:
    """Insert rows that must be new.

    From `COPIED` rows on PostgreSQL takes the rows by COPY, which costs this process less than any
    other way (ratio unmeasured).

    Args:
        connection: a connection.
        statement: the statement, without a conflict clause.
        rows: the rows, by column.

    Raises:
        IntegrityError: a row with such a key is there already.
        DBAPIError: the driver has refused otherwise, as in SQLAlchemy.
    """
    if len(rows) < COPIED or connection.dialect.name != "postgresql":
        execute(connection, statement, rows)
        return
    made = _made("postgresql", statement)
    columns = ", ".join(made.places)
    text = f"COPY {statement.table} ({columns}) FROM STDIN (FORMAT BINARY)"
    with _errors(connection, text), connection.connection.cursor().copy(text) as copy:
        copy.set_types(made.types)
        for row in rows:
            copy.write_row(made.arguments(row))


def look_up(
    connection: Connection,
    query: "Select[Any]",
    column: "Column[Any]",
    keys: Sequence[Any],
    **given: Any,
) -> list[tuple[Any, ...]]:
    """The rows that the query finds for any of the keys in the column.

    Args:
        connection: a connection.
        query: the query, to which the condition is added.
        column: the column that holds the keys.
        keys: the keys.
        given: the values of the query's own parameters.

    Raises:
        DBAPIError: the driver has refused, as in SQLAlchemy.
    """
    found: list[tuple[Any, ...]] = []
    results: tuple[Process | None, ...] = ()
    for some in chunks(keys, MANY):
        places, last = _rounded_up(len(some)), len(some) - 1
        made = _look_up(connection.dialect.name, query, column, places)
        row = given | {f"key_{n}": some[min(n, last)] for n in range(places)}  # the last, repeated
        with _errors(connection, made.text):
            driver = connection.connection.cursor()
            found += driver.execute(made.text, made.arguments(row)).fetchall()
        results = made.results
    return [
        tuple(
            value if make is None else make(value) for value, make in zip(row, results, strict=True)
        )
        for row in found
    ]


def _rounded_up(number: int) -> int:
    """The next power of two, so that there are few texts."""
    return 1 << (number - 1).bit_length()


def begin(connection: Connection, text: str) -> None:
    """Begin a transaction by this text.

    Raises:
        DBAPIError: the driver has refused, as in SQLAlchemy.
    """
    with _errors(connection, text):
        connection.connection.cursor().execute(text)


@cache
def _dialect(name: str) -> Dialect:
    """The dialect with parameters by place, which drivers take fastest."""
    made: Dialect = sqlite.dialect() if name == "sqlite" else psycopg.dialect(paramstyle="format")  # type: ignore[no-untyped-call]
    return made


@cache
def _made(dialect: str, statement: "Insert | Update | Delete | Select[Any]") -> _Text:
    here = _dialect(dialect)
    compiled: Any = statement.compile(dialect=here)
    own = {name: value for name, value in compiled.params.items() if value is not None}
    places = tuple(compiled.positiontup)
    bound = (compiled.binds[name].type.dialect_impl(here) for name in places)
    processes = [type_.bind_processor(here) for type_ in bound]
    makes = tuple((place, make) for place, make in enumerate(processes) if make is not None)
    postgresql = _dialect("postgresql")
    types = tuple(compiled.binds[name].type.compile(postgresql).lower() for name in places)
    results = tuple(
        column.type.dialect_impl(here).result_processor(here, None)
        for column in (statement.selected_columns if isinstance(statement, Select) else ())
    )
    return _Text(str(compiled), places, _taking(places), makes, own, types, results)


def _taking(names: tuple[str, ...]) -> Callable[[Row], tuple[Any, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda row: tuple(row[name] for name in names)  # `itemgetter` gives no tuple of one


@cache
def _from_columns(statement: Insert) -> str:
    """The text by which PostgreSQL inserts many rows, given an array of each column's values.

    One row after another costs twice as much, and COPY knows no conflicts.
    """
    made = _made("postgresql", statement)
    into, _, rest = made.text.partition(" VALUES (")
    arrays = ", ".join(f"%b::{type_}[]" for type_ in made.types)
    return f"{into} SELECT * FROM unnest({arrays}){rest.partition(')')[2]}"


@cache
def _look_up(dialect: str, query: "Select[Any]", column: "Column[Any]", keys: int) -> _Text:
    places = [bindparam(f"key_{n}", type_=column.type) for n in range(keys)]
    return _made(dialect, query.where(column.in_(places)))


@contextmanager
def _errors(connection: Connection, text: str) -> Iterator[None]:
    """Raise the driver's errors as SQLAlchemy would."""
    dialect, driver = connection.dialect, connection.dialect.loaded_dbapi
    try:
        yield
    except driver.Error as error:
        is_lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            text,
            None,
            error,
            driver.Error,
            hide_parameters=True,
            connection_invalidated=is_lost,
            dialect=dialect,
        ) from error
