"""Sizes of payloads, without reading the contents of blobs."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlmodel import Session

from cairn.store.blobs import BLOBS, digests_in
from cairn.store.chunks import chunks


def of(session: Session, payloads: Iterable[bytes | None]) -> dict[bytes | None, int]:
    """The bytes of each payload, by payload, with the blobs referred to; 0 for `None`."""
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
