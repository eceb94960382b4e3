"""Questions: the questions that waiting runs wait on, as kept in their rows."""

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
    """A question that stands open, with its moments.

    Attributes:
        key: unique among the questions of the run.
        event_type: the name of the type of the answer.
        question: the question as an event, if there is one.
        requirements: the values that fields of the answer must have, by name.
        since: the moment at which the run began to wait for the answer.
        deadline: the moment at which the run goes on without an answer; `None` for never.
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
    """The questions with their moments.

    Args:
        questions: the questions that stand open.
        before: the moments since which earlier questions stand open, by key.
        moment: the present moment, since which new questions stand open.
    """
    found = []
    for key, type_, event, requirements, seconds, timeout in questions:
        began = before.get(key, moment) if seconds is None else datetime.fromtimestamp(seconds, UTC)
        deadline = None if timeout is None else began + timedelta(seconds=timeout)
        found.append(OpenQuestion(key, type_, event, requirements, began, deadline))
    return found


def first_deadline(questions: Iterable[OpenQuestion]) -> datetime | None:
    """The first moment at which one of the questions is given up; `None` if none has a deadline."""
    return min((each.deadline for each in questions if each.deadline is not None), default=None)


def write(packer: Packer, questions: Sequence[OpenQuestion]) -> bytes:
    """The questions as a payload."""
    return packer.value([_to_json(each) for each in questions])


def read(session: Session, payload: bytes | None) -> list[OpenQuestion]:
    """The questions of a payload that `write` made; none without a payload.

    Raises:
        Damaged: the payload cannot be read back.
    """
    return [] if payload is None else unpacked(Unpacker(session, [payload]), payload)


def unpacked(unpacker: Unpacker, payload: bytes) -> list[OpenQuestion]:
    """As `read`, by an unpacker that has fetched the payload's blobs."""
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
