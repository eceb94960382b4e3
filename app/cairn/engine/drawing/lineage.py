"""A run as a picture: fact by fact, the events that led to each execution of a step."""

from collections import deque
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from cairn.engine.core.facts import Caught, Completed, Fact, Received, Sent, TimedOut, Waiting
from cairn.engine.core.keys import CallKey
from cairn.engine.core.records import Record
from cairn.engine.core.snapshot import Delivery, Delta
from cairn.engine.drawing.gathering import DrawnEvent, Gathering
from cairn.engine.drawing.picture import NodeKind, Picture
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
    """Return the picture of a run: each execution of a step, with the events taken and given.

    Args:
        workflow: the name of the workflow, for the title.
        graph: the graph of the workflow.
        records: all records of the run, in order.
        known: the deliveries pending when the run began, by id, as far as known.
    """
    lineage = _Lineage(graph)
    lineage.begin(records[0], known)
    for record in records:
        lineage.follow(record)
    description = f"Run {records[0].run}: {lineage.end(records[-1].snapshot.stopped)}"
    nodes, edges = lineage.sketch.nodes, lineage.sketch.edges
    return Picture(f"{workflow}, as it ran", description, tuple(nodes), tuple(edges))


class _Pending(NamedTuple):
    """A delivery that has not completed.

    Attributes:
        step: the name of the step.
        causes: the nodes that lead to the delivery's next box.
        waited: the box before, if the step began to wait.
    """

    step: str
    causes: list[str]
    waited: str | None = None


class _Lineage:
    def __init__(self, graph: Graph) -> None:
        self.sketch = Sketch(graph)
        self._graph = graph
        self._origin: str | None = None  # the node of a rerun's checkpoint, or a resumed run's
        self._pending: dict[int, _Pending] = {}  # by delivery
        self._boxes: dict[int, str] = {}  # the newest box of each delivery
        self._unclaimed: dict[int, str] = {}  # the nodes of unclaimed events, by their ids
        self._gathering = Gathering(graph)
        self._collected: list[tuple[int, str]] = []  # the buffering delivery, the collecting box
        self._questions: dict[str, str] = {}  # the nodes of open questions

    def begin(self, first: Record, known: Mapping[int, Delivery]) -> None:
        """Draw the events pending before the first fact: a rerun begins with such events."""
        earlier = _pending_before(first, known)
        unclaimed = {i: e for i, e in first.snapshot.unclaimed.items() if i < first.first_id}
        if not (earlier or unclaimed):
            return
        came_from = "resumed" if first.parent is None else "rerun"
        origin = self.sketch.outside("checkpoint", f"it was {came_from} from")
        self._origin = origin
        nodes: dict[int, list[str]] = {}  # by identity: two equal events are two
        for id_, step, event, *_ in earlier:
            if id(event) not in nodes:
                nodes[id(event)] = [self.sketch.event(each, origin) for each in _members(event)]
            self._pending[id_] = _Pending(step, list(nodes[id(event)]))
        self._unclaimed = {i: self.sketch.event(e, origin) for i, e in unclaimed.items()}
        self._gathering.begin(first, origin)

    def follow(self, record: Record) -> None:
        """Draw one fact: its cause and its effects."""
        cause = self._cause(record)
        events: list[DrawnEvent] = []
        for sent, is_returned in _sent_events(record.fact):
            node = self.sketch.event(sent.event, cause)
            events.append(DrawnEvent(sent, node, is_returned))
            if self.sketch.is_a(sent.event, InputRequiredEvent):
                self._questions[node] = node
            if self.sketch.is_a(sent.event, StopEvent):
                break
        self._deliver(record, events)
        for delivery, gathered in self._gathering.follow(record, events):
            causes = gathered or ([] if cause is None else [cause])  # for an empty list
            self._pending[delivery.id] = _Pending(delivery.step, causes)
        self._answer(record, events)

    def end(self, stopped: SealedEvent | None) -> str:
        """Draw the pending deliveries and the collected events; return a sentence about the run."""
        left = len(self._pending)
        for id_ in sorted(self._pending):
            self._box(id_, "pending", "pending" if stopped is None else "the run had ended")
        for buffering, box in self._collected:
            source = self._boxes.get(buffering, self._origin)
            if source not in (None, box):
                self.sketch.lead(str(source), box, loose=True)
        count = self.sketch.completed
        steps = f"{count} {'step' if count == 1 else 'steps'} completed"
        if stopped is not None:
            return f"{steps}, and it ended with {stopped.type}."
        if not left:
            return f"{steps}; it has not ended, and waits for an event from outside."
        return f"{steps}; it has not ended: {left} {'is' if left == 1 else 'are'} pending."

    # The cause of a fact

    def _cause(self, record: Record) -> str | None:
        match record.fact:
            case Received(sent):
                return self._outside(record.delta, sent.event)
            case Completed(delivery, buffers=buffers):
                box = self._box(delivery, "step")
                self._collected += [(CallKey.of(key).delivery, box) for key in buffers.drop]
            case Caught(delivery):
                box = self._box(delivery, "failed", "failed")
            case Waiting(wait):
                step = self._pending[wait.delivery].step
                box = self._box(wait.delivery, "step", f"waits for {wait.type}")
                self._pending[wait.delivery] = _Pending(step, [], box)
                if wait.asked is not None:
                    self._questions[wait.key] = self.sketch.event(wait.asked, box)
            case TimedOut():  # the step goes on, and is drawn when it completes
                return None
        return box

    def _box(self, id_: int, kind: NodeKind, note: str = "") -> str:
        step, causes, waited = self._pending.pop(id_)
        box = self._boxes[id_] = self.sketch.box(kind, step, note, causes)
        if waited is not None:
            self.sketch.lead(waited, box, loose=True)
        return box

    def _outside(self, delta: Delta, event: SealedEvent) -> str | None:
        """Draw the origin of an event from outside, with edges from the questions that it answers.

        These are the questions of waits that the event has answered, or else the only open
        question.
        """
        if self.sketch.is_a(event, StartEvent):
            return None
        keys = [key for key in delta.waits.put if key in self._questions]
        if not keys and len(self._questions) == 1 and self.sketch.is_a(event, HumanResponseEvent):
            keys = list(self._questions)
        questions = [self._questions.pop(key) for key in keys]
        return self.sketch.outside("from outside", "", questions)

    # The effects of a fact

    def _deliver(self, record: Record, events: Sequence[DrawnEvent]) -> None:
        """Assign the deliveries of a fact, and its unclaimed events, to the nodes of their events.

        Ids count up in the order of sending, and an unclaimed event has an id of its own.
        """
        put, unclaimed = record.delta.deliveries.put, record.delta.unclaimed.put
        new = [(d.id, d.event, d.step) for d in put.values() if d.id >= record.first_id]
        new += [(id_, event, "") for id_, event in unclaimed.items()]
        ahead = deque(sorted((entry for entry in new if entry[1].type != BATCH), key=itemgetter(0)))
        for (event, addressee), node, _ in events:
            steps: set[str] = set()
            while ahead and ahead[0][1] == event and ahead[0][2] not in steps:
                if addressee not in (None, ahead[0][2]):
                    break
                id_, _, step = ahead.popleft()
                steps.add(step)
                if step:
                    self._pending[id_] = _Pending(step, [node])
                else:
                    self._unclaimed[id_] = node

    def _answer(self, record: Record, events: Sequence[DrawnEvent]) -> None:
        """Add the answers of waits to the causes of the waiting steps.

        An answer is an event of this fact, or was unclaimed before the wait began.
        """
        earlier = record.delta.unclaimed.drop if isinstance(record.fact, Waiting) else ()
        for wait in record.delta.waits.put.values():
            if wait.answer is not None:
                self._questions.pop(wait.key, None)
                answers = [self._unclaimed[id_] for id_ in earlier if id_ in self._unclaimed]
                answers += [node for sent, node, _ in events if sent.event == wait.answer]
                self._pending[wait.delivery].causes.append(
                    answers[0] if answers else self.sketch.event(wait.answer, self._origin)
                )


def _sent_events(fact: Fact) -> list[tuple[Sent, bool]]:
    """Return the events that a fact has brought into the run, each with True if returned."""
    match fact:
        case Received(sent):
            return [(sent, False)]
        case Completed(_, outgoing, output):
            returned = [] if output is None else _members(output)
            return [(each, False) for each in outgoing] + [(Sent(each), True) for each in returned]
        case Waiting(_, outgoing):
            return [(each, False) for each in outgoing]
        case Caught(_, failure, handler):
            return [(Sent(failure, handler), False)]
        case TimedOut():
            return []


def _members(event: SealedEvent) -> list[SealedEvent]:
    """Return the events of a batch; any other event alone."""
    return unpack(event) if event.type == BATCH else [event]


def _pending_before(first: Record, known: Mapping[int, Delivery]) -> list[Delivery]:
    """Return the deliveries pending before the first fact, as far as known.

    These are the deliveries still pending, and those that the fact has dropped: from `known`, and
    one from the fact's own record.
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
