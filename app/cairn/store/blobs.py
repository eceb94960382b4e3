"""Payloads: short JSON stands in rows, long JSON in blobs, by its digest.

A long value of the state that is made of long parts is kept part by part: a list with one more
item refers to the same blobs as before, and to one more.
"""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from uuid import UUID

import orjson
from sqlalchemy import Connection, Insert, Table, delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from cairn.engine.core import fact_json
from cairn.engine.core.delta_json import from_json, to_json
from cairn.engine.core.facts import Fact
from cairn.engine.core.snapshot import Delta
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import SealedEvent
from cairn.errors import Damaged
from cairn.store import statements
from cairn.store.chunks import chunks
from cairn.store.tables import Blob, BlobRef

INLINE_BYTES = 300
REFERENCE = re.compile(rb'\{"\$blob":"([0-9a-f]{64})"\}')
PARTED_BYTES = 4_000  # of a value, from which its parts may be kept by themselves
DEPTH = 3  # of parts within parts
RECENT_EVENTS, RECENT_BLOBS = 4, 1_000  # that a packer remembers
REFERS = re.compile(rb'\{"\$(?:blob|parts)":')

BLOBS: Table = Blob.__table__  # type: ignore[attr-defined]
REFS: Table = BlobRef.__table__  # type: ignore[attr-defined]
REFERRED = select(REFS.c.owner_id, REFS.c.digest)


class Packer:
    """Writes payloads, and gathers the blobs that the payloads refer to.

    A packer remembers the events written last: an event comes by three times, as a step's output,
    as a pending delivery and as a step's input.
    """

    def __init__(self) -> None:
        self._gathered: dict[bytes, bytes] = {}
        self._stored: OrderedDict[bytes, None] = OrderedDict()
        self._written: OrderedDict[int, tuple[SealedEvent, bytes, bytes | None]] = OrderedDict()

    def event(self, event: SealedEvent) -> bytes:
        """The event as a payload."""
        known = self._written.get(id(event))  # no other event has this id while this one is kept
        if known is not None and self._has(known[2]):
            return known[1]
        packed, digest = self._pack(event.to_json())
        self._written[id(event)] = event, packed, digest
        if len(self._written) > RECENT_EVENTS:
            self._written.popitem(last=False)
        return packed

    def delta(self, delta: Delta) -> bytes:
        """The delta as a payload.

        Each event and each value is packed by itself, so that one that is stored already is only
        referred to.
        """
        return orjson.dumps(to_json(delta, self._part, self._event))

    def fact(self, fact: Fact) -> bytes:
        """The fact as a payload, packed as a delta is."""
        return orjson.dumps(fact_json.to_json(fact, self._part, self._event))

    def state(self, state: Mapping[str, Json]) -> bytes:
        """The state, by key, as a payload."""
        return orjson.dumps({key: self._part(value) for key, value in state.items()})

    def value(self, value: Json) -> bytes:
        """The value as a payload."""
        return self._pack(value)[0]

    def gathered(self) -> dict[bytes, bytes]:
        """Hand over the blobs, by digest, that were gathered since the last call.

        Blobs that are known to be stored are not among them.
        """
        gathered, self._gathered = self._gathered, {}
        return gathered

    def stored(self, digests: Iterable[bytes]) -> None:
        """Note that these blobs are stored, with a reference from the packer's owner."""
        for digest in digests:
            self._stored[digest] = None
        while len(self._stored) > RECENT_BLOBS:
            self._stored.popitem(last=False)

    def _has(self, digest: bytes | None) -> bool:
        """True if the blob is stored or gathered; and for an event without a blob."""
        return digest is None or digest in self._stored or digest in self._gathered

    def _event(self, event: SealedEvent) -> orjson.Fragment:
        return orjson.Fragment(self.event(event))

    def _part(self, value: Json) -> orjson.Fragment:
        return orjson.Fragment(self._pack(value, DEPTH)[0])

    def _pack(self, value: Json, depth: int = 0) -> tuple[bytes, bytes | None]:
        """The value as a payload, and the digest of its blob; `None` for a value in the row.

        Args:
            value: the value, as JSON.
            depth: the levels of parts that may be kept by themselves.
        """
        written = orjson.dumps(value)
        # A value that could be read as a reference is kept in a blob.
        if len(written) <= INLINE_BYTES and not REFERS.search(written):
            return written, None
        if len(written) >= PARTED_BYTES and depth and isinstance(value, (list, dict)):
            parted = self._parted(value, depth - 1)
            if len(parted) <= len(written) // 2:
                return parted, None
        digest = digest_of(written)
        if digest not in self._stored:
            self._gathered[digest] = written
        return b'{"$blob":"' + digest.hex().encode() + b'"}', digest

    def _parted(self, value: Json, depth: int) -> bytes:
        """The list or mapping, as a payload with each part packed by itself."""
        parts: Json
        if isinstance(value, list):
            parts = [orjson.Fragment(self._pack(item, depth)[0]) for item in value]
        else:
            parts = {k: orjson.Fragment(self._pack(item, depth)[0]) for k, item in value.items()}
        return orjson.dumps({"$parts": parts})


class Unpacker:
    """Reads payloads, with all blobs of these payloads fetched at once.

    Each method takes one of those payloads. A method other than `shown` raises `Damaged` if a blob
    is absent or differs from its digest, or if the payload cannot be read.
    """

    def __init__(self, session: Session, payloads: Iterable[bytes | None]) -> None:
        self._blobs = _contents(session, digests_in(payloads))

    def event(self, payload: bytes) -> SealedEvent:
        """The event of the payload."""
        with _read_as_written():
            return SealedEvent.from_json(self._part(orjson.loads(payload)))

    def event_or_none(self, payload: bytes | None) -> SealedEvent | None:
        """The event of the payload; `None` without a payload."""
        return None if payload is None else self.event(payload)

    def shown(self, payload: bytes | None) -> SealedEvent | None:
        """The event, for a list, which must be readable: `None` if the event is damaged."""
        try:
            return self.event_or_none(payload)
        except Damaged:
            return None

    def delta(self, payload: bytes) -> Delta:
        """The delta of the payload."""
        with _read_as_written():
            return from_json(orjson.loads(payload), self._part)

    def fact(self, payload: bytes) -> Fact:
        """The fact of the payload."""
        with _read_as_written():
            return fact_json.from_json(orjson.loads(payload), self._part)

    def state(self, payload: bytes) -> dict[str, Json]:
        """The state of the payload, by key."""
        with _read_as_written():
            return {key: self._part(value) for key, value in orjson.loads(payload).items()}

    def value(self, payload: bytes) -> Json:
        """The value of the payload."""
        with _read_as_written():
            return self._part(orjson.loads(payload))

    def _part(self, value: Json) -> Json:
        if not isinstance(value, dict) or len(value) != 1:
            return value
        if "$blob" in value:
            return orjson.loads(self._blobs[bytes.fromhex(value["$blob"])])
        if "$parts" not in value:
            return value
        parts = value["$parts"]
        if isinstance(parts, list):
            return [self._part(item) for item in parts]
        return {key: self._part(item) for key, item in parts.items()}


@contextmanager
def _read_as_written() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Damaged(
            "What was stored here cannot be read back: the database is damaged. "
            "Restore it from a copy, or go on from another checkpoint."
        ) from error


def digests_in(payloads: Iterable[bytes | None]) -> list[bytes]:
    """The digests of the blobs that the payloads refer to, each once."""
    found = (m for payload in payloads for m in REFERENCE.findall(payload or b""))
    return [bytes.fromhex(digest.decode()) for digest in dict.fromkeys(found)]


def store(connection: Connection, blobs: Mapping[UUID, Mapping[bytes, bytes]]) -> None:
    """Insert the blobs that are not there yet, by owner, and a reference from each owner."""
    contents = {digest: content for owned in blobs.values() for digest, content in owned.items()}
    if contents:
        rows = [{"digest": d, "content": contents[d]} for d in sorted(contents)]
        statements.execute(connection, insert_new(connection.dialect.name, BLOBS), rows)
    refer(connection, {owner: list(owned) for owner, owned in blobs.items()})


def refer(connection: Connection, digests: Mapping[UUID, Iterable[bytes]]) -> None:
    """Have the owners refer to blobs that are stored: these stay."""
    _insert_refs(
        connection, [(owner, digest) for owner, some in digests.items() for digest in some]
    )


def _insert_refs(connection: Connection, refs: Collection[tuple[UUID, bytes]]) -> None:
    rows = [{"owner_id": owner, "digest": digest} for owner, digest in refs]
    if rows:
        statements.execute(connection, insert_new(connection.dialect.name, REFS), rows)


def refer_only(connection: Connection, digests: Mapping[UUID, Iterable[bytes]]) -> None:
    """Have the owners refer to these blobs alone; a blob without a reference is deleted."""
    before = set(statements.look_up(connection, REFERRED, REFS.c.owner_id, list(digests)))
    wanted = {(owner, digest) for owner, some in digests.items() for digest in some}
    _insert_refs(connection, sorted(wanted - before))
    _lock(connection, [digest for _, digest in before - wanted])
    for owner, digest in before - wanted:
        connection.execute(delete(REFS).where(REFS.c.owner_id == owner, REFS.c.digest == digest))
    _sweep(connection, [digest for _, digest in before - wanted])


def release(connection: Connection, owners: list[UUID]) -> None:
    """Drop the references of the owners; a blob without a reference is deleted."""
    for some in chunks(owners):
        owned = REFS.c.owner_id.in_(some)
        freed = list(connection.scalars(select(REFS.c.digest).where(owned).distinct()))
        _lock(connection, freed)
        connection.execute(delete(REFS).where(owned))
        _sweep(connection, freed)


def _lock(connection: Connection, digests: list[bytes]) -> None:
    """Lock the blobs until the transaction ends.

    Of two transactions that each drop one of the last two references, neither would see that no
    reference is left.
    """
    for some in chunks(sorted(digests)):
        blobs = select(BLOBS.c.digest).where(BLOBS.c.digest.in_(some)).order_by(BLOBS.c.digest)
        connection.execute(blobs.with_for_update()).all()


def _sweep(connection: Connection, digests: list[bytes]) -> None:
    """Delete the blobs without a reference."""
    used = exists().where(REFS.c.digest == BLOBS.c.digest)
    for some in chunks(digests):
        connection.execute(delete(BLOBS).where(BLOBS.c.digest.in_(some), ~used))


def _contents(session: Session, digests: list[bytes]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    for some in chunks(digests):
        contents = select(BLOBS.c.digest, BLOBS.c.content).where(BLOBS.c.digest.in_(some))
        rows = session.execute(contents)
        for digest, content in rows:
            if digest_of(content) == digest:  # else its readers raise `Damaged`
                found[digest] = content
    return found


def digest_of(content: bytes) -> bytes:
    """The SHA-256 of the bytes: equal digests mean equal bytes."""
    return hashlib.sha256(content).digest()


@cache
def insert_new(dialect: str, table: Table) -> Insert:
    """An insert that leaves out the rows that are there already."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
