"""A run as a picture: fact by fact, which event led to which execution of a step."""

from collections import deque
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from cairn.engine.core.facts import Caught, Completed, Fact, Received, Sent, TimedOut, Waiting
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delivery, Delta
from cairn.engine.drawing.gathering import Gathering, Pill
from cairn.engine.drawing.picture import Kind, Picture
from cairn.engine.drawing.sketch import Sketch
from cairn.engine.language.events import (
    HumanResponseEvent,
    InputRequiredEvent,
    StartEvent,
    StopEvent,
)
from cairn.engine.language.graph import Graph
from cairn.engine.values.sealed import BATCH, SealedEvent, unpack


def picture_of_run(
    workflow: str, graph: Graph, records: Sequence[Record], known: Mapping[int, Delivery]
) -> Picture:
    """What the run did: each execution of a step, with the events it took and those it gave.

    Args:
        records: all of the run.
        known: what was pending when it began, as far as that is known.
    """
    lineage = _Lineage(graph)
    lineage.begin(records[0], known)
    for record in records:
        lineage.follow(record)
    said = f"Run {records[0].run}: {lineage.end(records[-1].snapshot.stopped)}"
    nodes, edges = lineage.sketch.nodes, lineage.sketch.edges
    return Picture(f"{workflow}, as it ran", said, tuple(nodes), tuple(edges))


class _Pending(NamedTuple):
    """A delivery that has not completed, with the nodes that lead to its next box.

    `waited` is the box before, if the step began to wait.
    """

    step: str
    causes: list[str]
    waited: str | None = None


class _Lineage:
    def __init__(self, graph: Graph) -> None:
        self.sketch = Sketch(graph)
        self._graph = graph
        self._origin: str | None = None  # of what was there before the run's first fact
        self._pending: dict[int, _Pending] = {}
        self._boxes: dict[int, str] = {}  # the newest of each delivery
        self._unclaimed: dict[int, str] = {}
        self._gathering = Gathering(graph)
        self._collected: list[tuple[int, str]] = []
        self._questions: dict[str, str] = {}  # that nobody has answered yet

    def begin(self, first: Record, known: Mapping[int, Delivery]) -> None:
        """What was pending before the first fact: a rerun starts with that."""
        earlier = _before(first, known)
        unclaimed = {i: e for i, e in first.snapshot.unclaimed.items() if i < first.first_id}
        if not (earlier or unclaimed):
            return
        came_from = "resumed" if first.parent is None else "rerun"
        origin = self.sketch.outside("checkpoint", f"it was {came_from} from")
        self._origin = origin
        nodes: dict[int, list[str]] = {}  # by the event itself: two equal ones are two
        for id_, step, event, *_ in earlier:
            if id(event) not in nodes:
                nodes[id(event)] = [self.sketch.event(each, origin) for each in _each(event)]
            self._pending[id_] = _Pending(step, list(nodes[id(event)]))
        self._unclaimed = {i: self.sketch.event(e, origin) for i, e in unclaimed.items()}
        self._gathering.begin(first, origin)

    def follow(self, record: Record) -> None:
        """One more fact: what it came from, and what it led to."""
        cause = self._cause(record)
        pills: list[Pill] = []
        for sent, is_returned in _gone_out(record.fact):
            node = self.sketch.event(sent.event, cause)
            pills.append(Pill(sent, node, is_returned))
            if self.sketch.is_a(sent.event, InputRequiredEvent):
                self._questions[node] = node
            if self.sketch.is_a(sent.event, StopEvent):
                break
        self._deliver(record, pills)
        for delivery, taken in self._gathering.follow(record, pills):
            causes = taken or ([] if cause is None else [cause])  # of an empty list
            self._pending[delivery.id] = _Pending(delivery.step, causes)
        self._answer(record, pills)

    def end(self, stopped: SealedEvent | None) -> str:
        """What is left was not executed, or not to its end. Returns the run in a sentence."""
        left = len(self._pending)
        for id_ in sorted(self._pending):
            self._box(id_, "pending", "pending" if stopped is None else "the run had ended")
        for putter, box in self._collected:
            source = self._boxes.get(putter, self._origin)
            if source not in (None, box):
                self.sketch.lead(str(source), box, loose=True)
        count = self.sketch.completed
        steps = f"{count} {'step' if count == 1 else 'steps'} completed"
        if stopped is not None:
            return f"{steps}, and it ended with {stopped.type}."
        if not left:
            return f"{steps}; it has not ended, and waits for an event from outside."
        return f"{steps}; it has not ended: {left} {'is' if left == 1 else 'are'} pending."

    # What a fact came from

    def _cause(self, record: Record) -> str | None:
        match record.fact:
            case Received(sent):
                return self._outside(record.delta, sent.event)
            case Completed(delivery, buffers=buffers):
                box = self._box(delivery, "step")
                self._collected += [(int(key.split(":")[0]), box) for key in buffers.drop]
            case Caught(delivery):
                box = self._box(delivery, "failed", "failed")
            case Waiting(wait):
                step = self._pending[wait.delivery].step
                box = self._box(wait.delivery, "step", f"waits for {wait.type}")
                self._pending[wait.delivery] = _Pending(step, [], box)
                if wait.asked is not None:
                    self._questions[wait.key] = self.sketch.event(wait.asked, box)
            case TimedOut():  # its step goes on: that is drawn when it completes
                return None
        return box

    def _box(self, id_: int, kind: Kind, note: str = "") -> str:
        step, causes, waited = self._pending.pop(id_)
        box = self._boxes[id_] = self.sketch.box(kind, step, note, causes)
        if waited is not None:
            self.sketch.lead(waited, box, loose=True)
        return box

    def _outside(self, delta: Delta, event: SealedEvent) -> str | None:
        """The node of the sender outside, led to by the questions that the event answers.

        Those are the questions of the waits answered, or else the only open question.
        """
        if self.sketch.is_a(event, StartEvent):
            return None
        asked = [key for key in delta.waits.put if key in self._questions]
        if not asked and len(self._questions) == 1 and self.sketch.is_a(event, HumanResponseEvent):
            asked = list(self._questions)
        questions = [self._questions.pop(key) for key in asked]
        return self.sketch.outside("from outside", "", questions)

    # What it led to

    def _deliver(self, record: Record, pills: Sequence[Pill]) -> None:
        """Note the step of each event sent.

        Ids count up in the order of sending; an event without a step has an id of its own.
        """
        put, unclaimed = record.delta.deliveries.put, record.delta.unclaimed.put
        new = [(d.id, d.event, d.step) for d in put.values() if d.id >= record.first_id]
        new += [(id_, event, "") for id_, event in unclaimed.items()]
        ahead = deque(sorted((it for it in new if it[1].type != BATCH), key=itemgetter(0)))
        for (event, to), node, _ in pills:
            steps: set[str] = set()
            while ahead and ahead[0][1] == event and ahead[0][2] not in steps:
                if to not in (None, ahead[0][2]):
                    break
                id_, _, step = ahead.popleft()
                steps.add(step)
                if step:
                    self._pending[id_] = _Pending(step, [node])
                else:
                    self._unclaimed[id_] = node

    def _answer(self, record: Record, pills: Sequence[Pill]) -> None:
        """Which event has answered a wait: one that is new, or had come before the wait began."""
        earlier = record.delta.unclaimed.drop if isinstance(record.fact, Waiting) else ()
        for wait in record.delta.waits.put.values():
            if wait.answer is not None:
                self._questions.pop(wait.key, None)
                answers = [self._unclaimed[id_] for id_ in earlier if id_ in self._unclaimed]
                answers += [node for sent, node, _ in pills if sent.event == wait.answer]
                self._pending[wait.delivery].causes.append(
                    answers[0] if answers else self.sketch.event(wait.answer, self._origin)
                )


def _gone_out(fact: Fact) -> list[tuple[Sent, bool]]:
    """The events that it has brought into the run, and whether they were returned."""
    match fact:
        case Received(sent):
            return [(sent, False)]
        case Completed(_, several, output):
            returned = [] if output is None else _each(output)
            return [(each, False) for each in several] + [(Sent(each), True) for each in returned]
        case Waiting(_, several):
            return [(each, False) for each in several]
        case Caught(_, failure, handler):
            return [(Sent(failure, handler), False)]
        case TimedOut():
            return []


def _each(event: SealedEvent) -> list[SealedEvent]:
    """The events of a list, or the one."""
    return unpack(event) if event.type == BATCH else [event]


def _before(first: Record, known: Mapping[int, Delivery]) -> list[Delivery]:
    """The deliveries pending before the fact.

    Those are the ones still pending, and the ones dropped by the fact as far as known.
    """
    pending = {i: d for i, d in first.snapshot.deliveries.items() if i < first.first_id}
    pending |= {id_: known[id_] for id_ in first.delta.deliveries.drop if id_ in known}
    match first.fact:
        case Completed(id_) | Caught(id_):
            own = id_
        case Waiting(wait):
            own = wait.delivery
        case Received():
            return sorted(pending.values())
    if own not in pending:
        assert first.input_event is not None
        pending[own] = Delivery(own, first.last_completed_step or "a step", first.input_event)
    return sorted(pending.values())
