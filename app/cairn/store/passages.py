"""Passages: the checkpoints in a part of a line, as they are compared; no long event is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session

from cairn.store.ancestry import Stretch
from cairn.store.facets import FACETS
from cairn.store.rows import CHECKPOINTS


@dataclass(frozen=True, slots=True)
class Passed:
    """A checkpoint in a passage.

    Attributes:
        input_event: the payload of the input event. Of a long event that is the digest: equal
            events have equal payloads.
        output_event: the payload of the output event.
        seconds: the time since the checkpoint before in the same run, or since the run began;
            `None` if that is not known.
    """

    id: UUID
    run_id: UUID
    seq: int
    last_completed_step: str | None
    input_event_type: str | None
    output_event_type: str | None
    input_event: bytes | None
    output_event: bytes | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Passage:
    """Checkpoints, oldest first; `has_more` is true if further ones were not read."""

    checkpoints: Sequence[Passed]
    has_more: bool


OWN = [CHECKPOINTS.c[name] for name in ("id", "run_id", "seq", "input_event", "output_event")]
NAMED = [
    FACETS.c[name] for name in ("last_completed_step", "input_event_type", "output_event_type")
]


def read(session: Session, stretches: Iterable[Stretch], most: int) -> Passage:
    """The passage through these stretches.

    Args:
        session: the session.
        stretches: the parts of the passage, in their order.
        most: the number of checkpoints that are read, at most.
    """
    found: list[Passed] = []
    for stretch in stretches:
        found += _read(session, stretch, most + 1 - len(found))
        if len(found) > most:
            return Passage(found[:most], has_more=True)
    return Passage(found, has_more=False)


def _read(session: Session, stretch: Stretch, most: int) -> list[Passed]:
    link, after, upto = stretch
    # The checkpoint before is read along with them: the first one's time counts from there.
    rows = session.execute(
        select(*OWN, *NAMED, CHECKPOINTS.c.created_at)
        .join(FACETS, FACETS.c.id == CHECKPOINTS.c.facets_id)
        .where(
            CHECKPOINTS.c.run_id == link.run_id,
            CHECKPOINTS.c.seq >= after,
            CHECKPOINTS.c.seq <= upto,
        )
        .order_by(CHECKPOINTS.c.seq)
        .limit(most + 1)
    ).all()
    since = link.started_at
    found: list[Passed] = []
    for row in rows:
        if row.seq > after and len(found) < most:
            own = {column.key: getattr(row, column.key) for column in (*OWN, *NAMED)}
            found.append(Passed(**own, seconds=_seconds(since, row.created_at)))
        since = row.created_at
    return found


def _seconds(since: datetime | None, until: datetime) -> float | None:
    """The seconds between two moments; 0 where clocks of two processes differ."""
    return None if since is None else max((until - since).total_seconds(), 0.0)
