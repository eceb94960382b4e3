"""Histories: records as runs make them, without steps and without waiting for any."""

from collections.abc import Sequence
from uuid import UUID

from cairn.conformance.storage import Opened
from cairn.engine.core.advance import advance
from cairn.engine.core.facts import Caught, Completed, Fact, Received, Sent, TimedOut, Waiting
from cairn.engine.core.records import Head, Record, record
from cairn.engine.core.routes import Route, Routes
from cairn.engine.core.snapshot import Buffered, Edit, Snapshot, Wait
from cairn.engine.ids import new_number
from cairn.engine.values.extended_json import Json
from cairn.engine.values.merging import ABSENT, UNREAD, Change
from cairn.engine.values.sealed import SealedEvent, pack

START = SealedEvent("StartEvent", {"topic": "conformance"})
STOP = SealedEvent("StopEvent", {"result": "done"})

ROUTE_OF = {
    "StartEvent": Route(steps=("work",)),
    "Round": Route(steps=("work",)),
    "Side": Route(steps=("other",)),
    "Part": Route(steps=("each",)),
    "Half": Route(slots=(("join", ("left", "right")),)),
    "Done": Route(collectors=("gather",)),
    "Question": Route(shown=True),
    "StopEvent": Route(stops=True, shown=True),
}
ROUTES = Routes(
    find=lambda event_type: ROUTE_OF.get(event_type, Route()),
    joins={"join": ("left", "right")},
    takes={"gather": None},
    bound={"work": ("gather",)},
)
"""The routes of the workflow whose runs the suite writes."""


class History:
    """The records of a run, made one after another.

    Attributes:
        run: the run's id.
        snapshot: the run after the newest record.
        head: the newest record, or the place where the history began.
    """

    def __init__(self, run: UUID, snapshot: Snapshot | None = None, head: Head | None = None):
        self.run = run
        self.snapshot = Snapshot() if snapshot is None else snapshot
        self.head = Head() if head is None else head

    @classmethod
    def on(cls, run: UUID, opened: Opened) -> "History":
        """A history that goes on where the run stands."""
        return cls(run, opened.snapshot, opened.head)

    def add(self, fact: Fact, message: UUID | None = None) -> Record:
        """The record of one more fact.

        Args:
            message: the id of the message that the fact consumes.
        """
        before, parent = self.snapshot, self.head.number
        number = max(new_number(), 0 if parent is None else parent + 1)
        delta = advance(ROUTES, before, fact)
        seq = self.head.seq + 1
        made = record(number, self.run, parent, seq, fact, message, before, delta)
        self.snapshot, self.head = made.snapshot, Head(made.id, seq)
        return made

    def begin(self, start: SealedEvent = START) -> Record:
        """The record of the start event."""
        return self.add(Received(Sent(start)), self.run)

    def goes_round(self, data: dict[str, Json] | None = None, **state: Json) -> Record:
        """The record of a step that completes, and starts the same step again.

        Args:
            data: the fields of the event that the step returns.
            state: the values that the step writes.
        """
        changes = {key: (Change(UNREAD, value),) for key, value in state.items()}
        output = SealedEvent("Round", {} if data is None else data)
        return self.add(Completed(self._pending("work"), output=output, changes=changes or None))

    def rounds(self, number: int) -> list[Record]:
        """The records of so many steps, each with a number of its own in its event and state."""
        return [self.goes_round({"number": n}, number=n) for n in range(number)]

    def stop(self, event: SealedEvent = STOP) -> Record:
        """The record of a step that returns the stop event."""
        return self.add(Completed(self._pending("work"), output=event))

    def _pending(self, step: str) -> int:
        return next(it.id for it in self.snapshot.pending() if it.step == step)

    def of_every_fact(self) -> Sequence[Record]:
        """The records of a run with a fact of each kind, that touches each part of a snapshot."""
        question, word = SealedEvent("Question", {"text": "Who?"}), SealedEvent("Stray", {"n": 1})
        answer = SealedEvent("Answer", {"who": "Ann"}, {"_seen": True}, ("spare",))
        asks = Wait(1, "ask", "Answer", {"who": "Ann"}, None, question, since=1.7e9)
        naps = Wait(3, "nap", "Answer", {"who": "Bob"}, 0.5, since=1.7e9 + 1)
        parts = pack([*(SealedEvent("Part", {"n": n}) for n in (1, 2)), SealedEvent("Half", {})])
        by = Buffered(3, "other", "pile", 0, word)
        failed = SealedEvent("StepFailedEvent", {"step_name": "other"})
        side = Sent(SealedEvent("Side", {"text": "beside"}))
        done = SealedEvent("Done", {})
        last = Change(1, ABSENT)
        made = [self.begin(), self.add(Received(Sent(word))), self.add(Waiting(asks, (side,)))]
        made.append(self.add(Received(Sent(answer))))
        changes = {"kept": (Change(UNREAD, ["a"]),), "gone": (Change(UNREAD, 1),)}
        put: Edit[str, Buffered] = Edit({by.key: by})
        calls: Edit[str, tuple[str, ...]] = Edit({by.key: (by.key,)})
        made.append(self.add(Completed(1, (), parts, changes, put, calls)))
        made.append(self.add(Waiting(naps)))
        made.append(self.add(TimedOut(3, naps.key)))
        dropped: Edit[str, Buffered] = Edit(drop=(by.key,))
        made.append(self.add(Caught(3, failed, "mend", dropped, Edit(drop=(by.key,)))))
        for _ in range(2):
            made.append(self.add(Completed(self._pending("each"), output=done)))
        gathered = self._pending("gather")
        made.append(self.add(Completed(gathered, changes={"gone": (last,)})))
        mended = self._pending("mend")
        made.append(self.add(Completed(mended, output=SealedEvent("Half", {"side": "left"}))))
        return made
