"""Payloads: JSON in rows where it is short, in blobs by its digest where it is long."""

import hashlib
import re
from collections.abc import Iterable, Mapping

import orjson
from sqlalchemy import Insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from app.engine.deltas import from_json, to_json
from app.engine.marks import Json
from app.engine.serialization import SealedEvent
from app.engine.snapshot import Delta
from app.store.tables import Blob

INLINE_BYTES = 300
REFERENCE = re.compile(rb'\{"\$blob":"([0-9a-f]{64})"\}')
CHUNK = 500  # databases bound the number of a statement's parameters


class Packer:
    """Writes payloads, and gathers the blobs that they refer to."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}

    def event(self, event: SealedEvent) -> bytes:
        """An event as a payload."""
        return self._pack(event.to_json())

    def delta(self, delta: Delta) -> bytes:
        """A delta as a payload: its events and its values each by themselves, so that what is
        stored already is only referred to."""
        return orjson.dumps(to_json(delta, self._part))

    def state(self, state: Mapping[str, Json]) -> bytes:
        """A state, by key, as a payload."""
        return orjson.dumps({key: self._part(value) for key, value in state.items()})

    def store(self, session: Session) -> None:
        """Insert the blobs that are not there yet."""
        if self._blobs:
            rows = [{"digest": key, "content": content} for key, content in self._blobs.items()]
            session.execute(_insert(session), rows)

    def _part(self, value: Json) -> orjson.Fragment:
        return orjson.Fragment(self._pack(value))

    def _pack(self, value: Json) -> bytes:
        written = orjson.dumps(value)
        # What could be taken for a reference becomes one.
        if len(written) <= INLINE_BYTES and not written.startswith(b'{"$blob":'):
            return written
        digest = hashlib.sha256(written).hexdigest()
        self._blobs[digest] = written
        return b'{"$blob":"' + digest.encode() + b'"}'


class Unpacker:
    """Reads payloads, having fetched all the blobs that they refer to at once."""

    def __init__(self, session: Session, payloads: Iterable[bytes | None]) -> None:
        found = (m.decode() for payload in payloads for m in REFERENCE.findall(payload or b""))
        self._blobs = _contents(session, dict.fromkeys(found))

    def event(self, payload: bytes) -> SealedEvent:
        """An event."""
        return SealedEvent.from_json(self._part(orjson.loads(payload)))

    def event_or_none(self, payload: bytes | None) -> SealedEvent | None:
        """An event, where there is one."""
        return None if payload is None else self.event(payload)

    def delta(self, payload: bytes) -> Delta:
        """A delta."""
        return from_json(orjson.loads(payload), self._part)

    def state(self, payload: bytes) -> dict[str, Json]:
        """A state, by key."""
        return {key: self._part(value) for key, value in orjson.loads(payload).items()}

    def _part(self, value: Json) -> Json:
        if isinstance(value, dict) and "$blob" in value and len(value) == 1:
            return orjson.loads(self._blobs[value["$blob"]])
        return value


def _contents(session: Session, digests: Iterable[str]) -> dict[str, bytes]:
    wanted = list(digests)
    found: dict[str, bytes] = {}
    for start in range(0, len(wanted), CHUNK):
        some = col(Blob.digest).in_(wanted[start : start + CHUNK])
        found |= {blob.digest: blob.content for blob in session.exec(select(Blob).where(some))}
    return found


def _insert(session: Session) -> Insert:
    """An insert that somebody else may have made: equal digests are equal bytes."""
    table = Blob.__table__  # type: ignore[attr-defined]
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
