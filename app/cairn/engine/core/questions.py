"""Questions: the events from outside that a waiting run needs."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from cairn.engine.core.routes import Routes
from cairn.engine.core.snapshot import Snapshot
from cairn.engine.values.extended_json import Json
from cairn.engine.values.sealed import SealedEvent


class Question(NamedTuple):
    """An event that a run waits for.

    Attributes:
        key: unique among the questions of the run.
        type: the type of the event that answers the question.
        asked: the question as an event, if there is one.
        requirements: the values that fields of the answer must have, by name.
        since: the beginning of the wait, in seconds since 1970 (UTC); `None` if unknown.
        timeout: the seconds from then until the wait ends without an answer.
    """

    key: str
    type: str
    asked: SealedEvent | None
    requirements: Mapping[str, Json]
    since: float | None = None
    timeout: float | None = None


def open_questions(routes: Routes, snapshot: Snapshot) -> list[Question]:
    """All questions of a run.

    These are the waits of its steps and the questions that steps have returned. Without either,
    they are the answers that steps take unasked.
    """
    waits = [
        Question(w.key, w.type, w.asked, w.requirements, w.since, w.timeout)
        for w in snapshot.waits.values()
        if not w.is_settled
    ]
    found = [*waits, *_returned(routes, snapshot)]
    return found or [Question(f"unasked:{type_}", type_, None, {}) for type_ in routes.answers]


def _returned(routes: Routes, snapshot: Snapshot) -> Iterator[Question]:
    for id_, event in sorted(snapshot.unclaimed.items()):
        if routes[event.type].asks:
            for type_ in routes.answers:
                yield Question(f"asked:{id_}:{type_}", type_, event, {})
