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
class OpenQuestion:
    """A question that stands open, with the moments that it stands between.

    Attributes:
        since: when the run began to wait for the answer.
        deadline: when it goes on without.
        answer_type: the type of the answer, where the workflow is loaded.
    """

    key: str
    event_type: str
    question: SealedEvent | None
    requirements: Mapping[str, Json]
    since: datetime
    deadline: datetime | None
    answer_type: type[Event] | None = None


def timed(
    questions: Iterable[Question], before: Mapping[str, datetime], moment: datetime
) -> list[OpenQuestion]:
    """The questions that stand open at this moment.

    Args:
        before: since when those stand that stood open before, by key.
    """
    found = []
    for key, type_, event, requirements, seconds, timeout in questions:
        began = before.get(key, moment) if seconds is None else datetime.fromtimestamp(seconds, UTC)
        deadline = None if timeout is None else began + timedelta(seconds=timeout)
        found.append(OpenQuestion(key, type_, event, requirements, began, deadline))
    return found


def first_deadline(questions: Iterable[OpenQuestion]) -> datetime | None:
    """When the first of them goes on without an answer, if any does."""
    return min((each.deadline for each in questions if each.deadline is not None), default=None)


def write(packer: Packer, questions: Sequence[OpenQuestion]) -> bytes:
    """The questions as a payload."""
    return packer.value([_to_json(each) for each in questions])


def read(session: Session, payload: bytes | None) -> list[OpenQuestion]:
    """The reverse of `write`.

    Raises:
        Damaged: the payload is not what was written.
    """
    return [] if payload is None else unpacked(Unpacker(session, [payload]), payload)


def unpacked(unpacker: Unpacker, payload: bytes) -> list[OpenQuestion]:
    """As `read`, of a payload whose blobs are there."""
    return [_from_json(each) for each in unpacker.value(payload)]


def _to_json(open_question: OpenQuestion) -> Json:
    return {
        "key": open_question.key,
        "type": open_question.event_type,
        "question": None if open_question.question is None else open_question.question.to_json(),
        "requirements": dict(open_question.requirements),
        "since": open_question.since.isoformat(),
        "deadline": None if open_question.deadline is None else open_question.deadline.isoformat(),
    }


def _from_json(written: Json) -> OpenQuestion:
    question, deadline = written["question"], written["deadline"]
    return OpenQuestion(
        written["key"],
        written["type"],
        None if question is None else SealedEvent.from_json(question),
        written["requirements"],
        datetime.fromisoformat(written["since"]),
        None if deadline is None else datetime.fromisoformat(deadline),
    )
