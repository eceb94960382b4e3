"""Questions: what runs that wait are waiting for, as it is kept in their rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlmodel import Session

from cairn.engine import Event
from cairn.engine.core.questions import Question
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import SealedEvent
from cairn.store.blobs import Packer, Unpacker


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that stands open, with the moments that it stands between.

    Attributes:
        since: when the run began to wait for the answer.
        deadline: when it goes on without.
        kind: the type of the answer, where the workflow is loaded.
    """

    key: str
    event_type: str
    question: SealedEvent | None
    requirements: Mapping[str, Json]
    since: datetime
    deadline: datetime | None
    kind: type[Event] | None = None


def asked(
    questions: Iterable[Question], before: Mapping[str, datetime], moment: datetime
) -> list[Asked]:
    """The questions that stand open at this moment.

    Args:
        before: since when those stand that stood open before, by key.
    """
    found = []
    for key, type_, event, requirements, seconds, timeout in questions:
        began = before.get(key, moment) if seconds is None else datetime.fromtimestamp(seconds, UTC)
        deadline = None if timeout is None else began + timedelta(seconds=timeout)
        found.append(Asked(key, type_, event, requirements, began, deadline))
    return found


def first_deadline(asked: Iterable[Asked]) -> datetime | None:
    """When the first of them goes on without an answer, if any does."""
    return min((it.deadline for it in asked if it.deadline is not None), default=None)


def write(packer: Packer, asked: Sequence[Asked]) -> bytes:
    """The questions as a payload."""
    return packer.value([_to_json(it) for it in asked])


def read(session: Session, payload: bytes | None) -> list[Asked]:
    """The reverse of `write`.

    Raises:
        Damaged: the payload is not what was written.
    """
    return [] if payload is None else unpacked(Unpacker(session, [payload]), payload)


def unpacked(unpacker: Unpacker, payload: bytes) -> list[Asked]:
    """As `read`, of a payload whose blobs are there."""
    return [_from_json(it) for it in unpacker.value(payload)]


def _to_json(asked: Asked) -> Json:
    return {
        "key": asked.key,
        "type": asked.event_type,
        "question": None if asked.question is None else asked.question.to_json(),
        "requirements": dict(asked.requirements),
        "since": asked.since.isoformat(),
        "deadline": None if asked.deadline is None else asked.deadline.isoformat(),
    }


def _from_json(written: Json) -> Asked:
    question, deadline = written["question"], written["deadline"]
    return Asked(
        written["key"],
        written["type"],
        None if question is None else SealedEvent.from_json(question),
        written["requirements"],
        datetime.fromisoformat(written["since"]),
        None if deadline is None else datetime.fromisoformat(deadline),
    )
