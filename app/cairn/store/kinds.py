"""Kinds: what checkpoints are filtered by, written once for all of a kind."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, Table, select
from sqlmodel import Session

from cairn.store import statements
from cairn.store.blobs import insert_new
from cairn.store.tables import Kind

KINDS: Table = Kind.__table__  # type: ignore[attr-defined]


MANY = 40
"""Of more kinds than that, the checkpoints are looked for in the order of the run or context."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a checkpoint must match, all of it; `None` matches any."""

    last_completed_step: str | None = None
    input_event_type: str | None = None
    output_event_type: str | None = None

    @property
    def match_nothing(self) -> bool:
        """Whether one of them is a name that nothing can have: PostgreSQL cannot even be asked."""
        return any("\0" in (getattr(self, name) or "") for name in self.__slots__)

    def of_kind(self) -> list[tuple[str, str | None]]:
        """Those that are about its kind, by name."""
        return [(name, getattr(self, name)) for name in Traits._fields[1:]]


class Traits(NamedTuple):
    """What checkpoints of one kind have in common."""

    workflow: str
    last_completed_step: str | None
    input_event_type: str | None
    output_event_type: str | None


def id_of(traits: Traits) -> int:
    """The kind's id: a digest, so that nobody need ask for it."""
    digest = hashlib.sha256(orjson.dumps(list(traits))).digest()
    return int.from_bytes(digest[:8], signed=True)


def store(connection: Connection, kinds: Iterable[Traits]) -> None:
    """Insert the kinds that are not there yet."""
    rows = [{"id": id_of(traits), **traits._asdict()} for traits in sorted(kinds, key=id_of)]
    if rows:
        statements.execute(connection, insert_new(connection.dialect.name, KINDS), rows)


def matching(session: Session, workflow: str, filters: Filters) -> list[int] | None:
    """The kinds of the workflow's checkpoints that match; `None` where all of them do."""
    named = [(name, wanted) for name, wanted in filters.of_kind() if wanted is not None]
    if not named:
        return None
    query = select(KINDS.c.id).where(KINDS.c.workflow == workflow)
    query = query.where(*(KINDS.c[name] == wanted for name, wanted in named))
    return list(session.scalars(query))
