"""Requests that can be repeated: an idempotency key makes each thing only once."""

from dataclasses import dataclass
from uuid import UUID

from sqlmodel import Session

from cairn.errors import KeyReused
from cairn.store.tables import Request


@dataclass(frozen=True, slots=True)
class Repeatable:
    """A request with an idempotency key: the key, the path, and a digest of the body."""

    key: str
    path: str
    body_digest: str


def made_by(session: Session, request: Repeatable | None) -> UUID | None:
    """The id of the run or context that this request has made before; `None` if there is none.

    Raises:
        KeyReused: the key was used for a request with another body.
    """
    if request is None:
        return None
    before = session.get(Request, (request.key, request.path))
    if before is None:
        return None
    if before.body_digest != request.body_digest:
        raise KeyReused(
            f"The idempotency key {request.key!r} was used for another body. "
            "Use a new key for a new request, and the same body to repeat one."
        )
    return before.made_id


def remember(session: Session, request: Repeatable | None, made: UUID) -> None:
    """Note the id of the run or context that the request has made, if there is a request."""
    if request is not None:
        session.add(
            Request(
                key=request.key, path=request.path, body_digest=request.body_digest, made_id=made
            )
        )
