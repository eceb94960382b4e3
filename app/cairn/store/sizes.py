"""Sizes of payloads, without reading what is in blobs."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlmodel import Session

from cairn.store.blobs import BLOBS, digests_in
from cairn.store.chunks import chunks


def of(session: Session, payloads: Iterable[bytes | None]) -> dict[bytes | None, int]:
    """The bytes that each takes, with the blobs that it refers to; 0 where there is none."""
    found = set(payloads)
    length: dict[bytes, int] = {}
    for some in chunks(digests_in(found)):
        lengths = select(BLOBS.c.digest, func.length(BLOBS.c.content))
        for digest, size in session.execute(lengths.where(BLOBS.c.digest.in_(some))):
            length[digest] = size
    return {
        payload: len(payload or b"") + sum(length.get(it, 0) for it in digests_in([payload]))
        for payload in found
    }
