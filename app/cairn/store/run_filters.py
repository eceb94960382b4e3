"""Run filters: the values that the runs of a list must have, and the conditions of each filter."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, null, select
from sqlmodel import col

from cairn.engine.core.records import Status
from cairn.store.rows import RUNS
from cairn.store.tables import Label, Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilters:
    """The values that a run must have; `None`, and an empty sequence, match any.

    A run matches all of the filters, and of a sequence any value. A moment `_after` is the first
    that matches, and a moment `_before` is the first that does not: the runs of two days in a row
    are no run twice.
    """

    workflow: Sequence[str] = ()
    status: Sequence[Status] = ()
    context_id: UUID | None = None
    parent_run_id: UUID | None = None
    root_run_id: UUID | None = None
    origin_checkpoint_id: UUID | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    finished_after: datetime | None = None
    finished_before: datetime | None = None
    error_type: Sequence[str] = ()
    error_step: Sequence[str] = ()
    name: Sequence[str] = ()
    tag: Sequence[str] = ()

    @property
    def match_nothing(self) -> bool:
        """True if all values of a filter hold a NUL.

        No name holds one, and PostgreSQL cannot be asked for a NUL.
        """
        named = (self.workflow, self.error_type, self.error_step, self.name, self.tag)
        return any(values and not storable(values) for values in named)


def storable(values: Collection[str]) -> list[str]:
    """The values, each once, that a text in the database can have."""
    return [value for value in dict.fromkeys(values) if "\0" not in value]


def conditions(filters: RunFilters) -> dict[str, ColumnElement[bool]]:
    """The conditions of the filters that are given, by the filter's name.

    SQLite finds no index for these conditions, and so takes the index that a way names.
    """
    found: dict[str, ColumnElement[bool]] = {}
    for name in ("workflow", "error_type", "error_step", "status"):
        if values := getattr(filters, name):
            found[name] = bare(name).in_(storable(values))
    for name in ("context_id", "parent_run_id", "root_run_id", "origin_checkpoint_id"):
        if (value := getattr(filters, name)) is not None:
            found[name] = bare(name) == value
    for name, column, words in (
        ("name", col(Label.name), filters.name),
        ("tag", col(Tag.tag), filters.tag),
    ):
        if words:
            subject: Any = Label.subject_id if name == "name" else Tag.subject_id
            found[name] = bare("id").in_(select(subject).where(column.in_(storable(words))))
    if (finished := _between("finished_at", filters.finished_after, filters.finished_before)) != []:
        found["finished"] = and_(*finished)
    return found


def created(filters: RunFilters) -> list[ColumnElement[bool]]:
    """The conditions on the moment at which a run was accepted."""
    return _between("created_at", filters.created_after, filters.created_before)


def _between(
    name: str, after: datetime | None, before: datetime | None
) -> list[ColumnElement[bool]]:
    column = RUNS.c[name]
    found = [] if after is None else [column >= after]
    return found if before is None else [*found, column < before]


def bare(name: str) -> Any:
    """The column as a value that no index of SQLite's holds; PostgreSQL sees the plain column."""
    return func.coalesce(RUNS.c[name], null(), type_=RUNS.c[name].type)
