"""Batches, joins and caught failures in plain values: what each fact makes of a snapshot."""

import json
from collections.abc import Iterable

from cairn.engine.core.advance import advance
from cairn.engine.core.delta_json import from_json, to_json
from cairn.engine.core.facts import Caught, Completed, Fact, Received, Sent, Waiting
from cairn.engine.core.routes import Route, Routes
from cairn.engine.core.snapshot import Batch, Delivery, Gathered, Queue, Snapshot, Wait, whole
from cairn.engine.values.sealed import SealedEvent, pack, unpack

ROUTE = {
    "Start": Route(("split",)),
    "Part": Route(("work",)),
    "Done": Route(collectors=("gather", "first")),
    "Both": Route(("log",), collectors=("gather",)),
    "Left": Route(slots=(("join", ("a",)),)),
    "Right": Route(slots=(("join", ("b",)),)),
    "Twin": Route(slots=(("pair", ("a", "b")),)),
    "Group": Route(("regroup",)),
    "Stop": Route(stops=True),
}
ROUTES = Routes(
    lambda kind: ROUTE.get(kind, Route()),
    joins={"join": ("a", "b"), "pair": ("a", "b")},
    takes={"gather": None, "first": 2},
    bound={"split": ("gather", "first"), "regroup": ("gather",)},
)


def event(type: str, **data: object) -> SealedEvent:
    return SealedEvent(type, data)


def sent(type: str, step: str | None = None, **data: object) -> Sent:
    return Sent(event(type, **data), step)


def listed(type: str, *numbers: int) -> SealedEvent:
    return pack([event(type, n=n) for n in numbers])


def after(snapshot: Snapshot, *facts: Fact) -> Snapshot:
    """The snapshot that the facts lead to, each of them by way of JSON."""
    for fact in facts:
        delta = advance(ROUTES, snapshot, fact)
        assert from_json(json.loads(json.dumps(to_json(delta)))) == delta
        snapshot = snapshot.after(delta)
    return snapshot


def pending(snapshot: Snapshot, step: str) -> list[Delivery]:
    return [delivery for delivery in snapshot.pending() if delivery.step == step]


def given(delivery: Delivery) -> list[object]:
    """The numbers of the events in a list or a join."""
    return [each.data["n"] for each in unpack(delivery.event)]


def ids(deliveries: Iterable[Delivery]) -> list[int]:
    return [delivery.id for delivery in deliveries]


STARTED = after(Snapshot(), Received(sent("Start")))
OPEN = after(STARTED, Completed(1, output=listed("Part", 0, 1, 2)))
ONE, TWO, THREE = ids(pending(OPEN, "work"))


def test_a_returned_list_opens_a_batch_in_which_each_member_is_pending() -> None:
    (batch,) = OPEN.batches.values()
    assert batch == Batch(batch.id, "split", 0, 0, 3)
    assert [(d.event, d.batch, d.member) for d in pending(OPEN, "work")] == [
        (event("Part", n=n), batch.id, n) for n in range(3)
    ]


def test_an_empty_list_is_collected_at_once() -> None:
    snapshot = after(STARTED, Completed(1, output=pack([])))
    assert [(d.step, given(d)) for d in snapshot.pending()] == [("gather", []), ("first", [])]
    assert not snapshot.batches


def test_all_are_given_in_the_order_of_the_list_and_the_first_in_that_of_arrival() -> None:
    snapshot = after(
        OPEN,
        *(Completed(id_, output=event("Done", n=n)) for n, id_ in ((2, THREE), (1, TWO))),
    )
    assert [given(d) for d in pending(snapshot, "first")] == [[2, 1]]
    assert not pending(snapshot, "gather")
    snapshot = after(snapshot, Completed(ONE, output=event("Done", n=0)))
    assert [given(d) for d in pending(snapshot, "gather")] == [[0, 1, 2]]
    assert len(pending(snapshot, "first")) == 1
    assert not snapshot.batches
    assert not snapshot.queues
    assert not snapshot.gathered


def test_what_a_member_sends_is_in_no_batch() -> None:
    snapshot = after(OPEN, Completed(ONE, (sent("Done", n=9), sent("Part", n=8))))
    assert not snapshot.gathered
    assert [(d.batch, d.member) for d in pending(snapshot, "work")[-1:]] == [(0, 0)]
    (batch,) = snapshot.batches.values()
    assert batch.pending == 2


def test_what_a_member_sent_as_it_began_to_wait_is_in_no_batch() -> None:
    wait = Wait(ONE, "w", "Answer", {})
    snapshot = after(OPEN, Waiting(wait, (sent("Done", n=9), sent("Part", n=8))))
    assert not snapshot.gathered
    assert [d.batch for d in pending(snapshot, "work")[-1:]] == [0]
    snapshot = after(snapshot, Received(sent("Answer")), Completed(ONE, output=event("Done", n=0)))
    assert [(g.event, g.member) for g in snapshot.gathered.values()] == [
        (event("Done", n=0), 0)
    ] * 2


def test_an_event_may_start_one_step_and_be_collected_by_another() -> None:
    snapshot = after(OPEN, *(Completed(id_, output=event("Both", n=id_)) for id_ in (ONE, TWO)))
    snapshot = after(snapshot, Completed(THREE))
    assert not pending(snapshot, "gather"), "the batch is open while something of it is pending"
    snapshot = after(snapshot, *(Completed(d.id) for d in pending(snapshot, "log")))
    assert [given(d) for d in pending(snapshot, "gather")] == [[ONE, TWO]]


def test_a_batch_within_a_batch_holds_it_open_and_gives_one_member_back() -> None:
    snapshot = after(
        STARTED,
        Completed(1, output=pack([event("Part", n=0), event("Group", n=1)])),
    )
    (outer,) = snapshot.batches
    (regroup,) = ids(pending(snapshot, "regroup"))
    (work,) = ids(pending(snapshot, "work"))
    snapshot = after(snapshot, Completed(regroup, output=listed("Part", 10, 11)), Completed(work))
    inner = snapshot.batches[max(snapshot.batches)]
    assert (inner.step, inner.within, inner.member, inner.pending) == ("regroup", outer, 1, 2)
    assert snapshot.batches[outer].pending == 1
    ten, eleven = (d for d in pending(snapshot, "work") if d.batch == inner.id)
    snapshot = after(
        snapshot,
        Completed(eleven.id, output=event("Done", n=11)),
        Completed(ten.id, output=event("Done", n=10)),
    )
    (gather,) = pending(snapshot, "gather")
    assert (given(gather), gather.batch, gather.member) == ([10, 11], outer, 1)
    assert list(snapshot.batches) == [outer]


def test_events_outside_of_all_batches_are_joined_in_the_order_of_arrival() -> None:
    snapshot = after(
        STARTED,
        Completed(1, (sent("Left", n=1), sent("Left", n=2), sent("Right", n=3))),
    )
    assert [given(d) for d in pending(snapshot, "join")] == [[1, 3]]
    assert dict(snapshot.queues) == {"0:join:a": Queue(1, 2), "0:join:b": Queue(1, 1)}
    assert dict(snapshot.gathered) == {"0:join:a:1": Gathered(event("Left", n=2), 0, {})}
    snapshot = after(snapshot, Received(sent("Right", n=4)))
    assert [given(d) for d in pending(snapshot, "join")] == [[1, 3], [2, 4]]


def test_two_parameters_of_one_type_are_filled_in_turn() -> None:
    snapshot = after(STARTED, Completed(1, tuple(sent("Twin", n=n) for n in range(5))))
    assert [given(d) for d in pending(snapshot, "pair")] == [[0, 1], [2, 3]]
    assert len(snapshot.gathered) == 1


def test_events_of_two_batches_or_of_none_are_not_joined() -> None:
    begun = after(Snapshot(), Received(sent("Start")), Received(sent("Start")))
    snapshot = after(
        begun,
        Completed(1, output=pack([event("Left", n=1), event("Part", n=0)])),
        Completed(2, output=pack([event("Right", n=2), event("Part", n=0)])),
        Received(sent("Right", n=3)),
    )
    assert not pending(snapshot, "join")
    assert len(snapshot.gathered) == 3


def test_what_found_nothing_to_be_joined_with_is_dropped_with_its_batch() -> None:
    snapshot = after(STARTED, Completed(1, output=pack([event("Left", n=1), event("Part", n=0)])))
    assert len(snapshot.gathered) == 1
    snapshot = after(snapshot, Completed(pending(snapshot, "work")[0].id))
    assert not snapshot.gathered
    assert not snapshot.queues
    assert not snapshot.batches


def test_a_step_that_joins_within_a_batch_is_of_that_batch() -> None:
    snapshot = after(STARTED, Completed(1, output=pack([event("Left", n=1), event("Right", n=2)])))
    (join,) = pending(snapshot, "join")
    assert (join.batch, join.member) == (next(iter(snapshot.batches)), 0)
    snapshot = after(snapshot, Completed(join.id, output=event("Done", n=3)))
    assert [given(d) for d in pending(snapshot, "gather")] == [[3]]


def test_a_stop_event_leaves_nothing_of_batches_and_joins() -> None:
    full = after(
        OPEN,
        Completed(ONE, (sent("Left", n=1),), event("Done", n=0)),
        Completed(TWO, output=event("Left", n=2)),
    )
    assert full.batches
    assert full.queues
    assert len(full.gathered) == 4
    stops: list[Fact] = [
        Completed(THREE, output=event("Stop")),
        Completed(THREE, (sent("Stop"),), listed("Part", 1)),
        Completed(THREE, output=pack([event("Part"), event("Stop"), event("Part")])),
        Received(sent("Stop")),
    ]
    for stop in stops:
        stopped = after(full, stop)
        assert stopped.stopped == event("Stop")
        assert stopped._replace(next_id=1, stopped=None) == Snapshot()


def test_a_failure_goes_to_its_handler_in_the_place_of_what_has_failed() -> None:
    failure = event("StepFailedEvent", n=1)
    snapshot = after(OPEN, Caught(TWO, failure, "mend"))
    (mend,) = pending(snapshot, "mend")
    assert (mend.batch, mend.member, mend.caught) == (
        pending(OPEN, "work")[1].batch,
        1,
        {"mend": 1},
    )
    snapshot = after(
        snapshot,
        Completed(ONE, output=event("Done", n=0)),
        Completed(THREE, output=event("Done", n=2)),
        Completed(mend.id, output=event("Done", n=1)),
    )
    (gather,) = pending(snapshot, "gather")
    assert given(gather) == [0, 1, 2]
    assert gather.caught == {"mend": 1}


def test_failures_are_counted_by_handler_along_an_events_way() -> None:
    failure = event("StepFailedEvent")
    snapshot = after(STARTED, Caught(1, failure, "mend"))
    (mend,) = pending(snapshot, "mend")
    snapshot = after(snapshot, Completed(mend.id, (sent("Left", n=1),), event("Part")))
    (work,) = pending(snapshot, "work")
    assert work.caught == {"mend": 1}
    snapshot = after(snapshot, Caught(work.id, failure, "other"))
    (other,) = pending(snapshot, "other")
    assert other.caught == {"mend": 1, "other": 1}
    snapshot = after(snapshot, Caught(other.id, failure, "mend"))
    (mend,) = pending(snapshot, "mend")
    snapshot = after(snapshot, Completed(mend.id, output=event("Right", n=2)))
    (join,) = pending(snapshot, "join")
    assert join.caught == {"mend": 2, "other": 1}, "the more of each, not the sum"


def test_a_snapshot_in_the_middle_of_all_this_goes_to_json_and_back() -> None:
    snapshot = after(
        OPEN,
        Caught(TWO, event("StepFailedEvent"), "mend"),
        Completed(ONE, (sent("Left", n=1),), event("Done", n=0)),
        Completed(THREE, output=event("Done", n=2)),
        Received(sent("Start")),
    )
    assert snapshot.batches
    assert snapshot.gathered
    assert {queue.closed for queue in snapshot.queues.values()} == {False, True}
    again = Snapshot().after(from_json(json.loads(json.dumps(to_json(whole(snapshot))))))
    assert again == snapshot
    assert [d.caught for d in pending(again, "mend")] == [{"mend": 1}]


def test_the_delta_of_a_member_does_not_grow_with_its_batch() -> None:
    sizes = []
    for width in (10, 1000):
        snapshot = after(STARTED, Completed(1, output=listed("Part", *range(width))))
        works = pending(snapshot, "work")
        snapshot = after(snapshot, *(Completed(d.id, output=event("Done")) for d in works[3:]))
        delta = advance(ROUTES, snapshot, Completed(works[1].id, output=event("Done")))
        sizes.append(len(repr(to_json(delta))))
    assert sizes[1] < sizes[0] + 40
