"""Facets: the step, the event types and the workflow that checkpoints are filtered by."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, Table, select
from sqlmodel import Session

from cairn.store import statements
from cairn.store.blobs import insert_new
from cairn.store.tables import Facets

FACETS: Table = Facets.__table__  # type: ignore[attr-defined]


MANY = 40
"""If more facets match, checkpoints are searched in the order of the run or the context."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The values that a checkpoint must have; `None` matches any."""

    last_completed_step: str | None = None
    input_event_type: str | None = None
    output_event_type: str | None = None

    @property
    def match_nothing(self) -> bool:
        """True if a value holds a NUL, which no name does and PostgreSQL cannot be asked for."""
        return any("\0" in (getattr(self, name) or "") for name in self.__slots__)

    def by_facet(self) -> list[tuple[str, str | None]]:
        """The filters by their facet."""
        return [(name, getattr(self, name)) for name in FacetValues._fields[1:]]


class FacetValues(NamedTuple):
    """The facets of a checkpoint."""

    workflow: str
    last_completed_step: str | None
    input_event_type: str | None
    output_event_type: str | None


def id_of(values: FacetValues) -> int:
    """The id of the facets: a digest of the values, which need not be looked up."""
    digest = hashlib.sha256(orjson.dumps(list(values))).digest()
    return int.from_bytes(digest[:8], signed=True)


def store(connection: Connection, facets: Iterable[FacetValues]) -> None:
    """Insert the facets that are not there yet."""
    rows = [{"id": id_of(values), **values._asdict()} for values in sorted(facets, key=id_of)]
    if rows:
        statements.execute(connection, insert_new(connection.dialect.name, FACETS), rows)


def matching(session: Session, workflow: str, filters: Filters) -> list[int] | None:
    """The ids of the workflow's facets that match the filters; `None` if all match."""
    named = [(name, wanted) for name, wanted in filters.by_facet() if wanted is not None]
    if not named:
        return None
    query = select(FACETS.c.id).where(FACETS.c.workflow == workflow)
    query = query.where(*(FACETS.c[name] == wanted for name, wanted in named))
    return list(session.scalars(query))
