"""The heart, in plain values: what each fact makes of a snapshot."""

from cairn.engine.core.advance import advance
from cairn.engine.core.delta_json import from_json, to_json
from cairn.engine.core.facts import Completed, Fact, Received, Sent, Waiting
from cairn.engine.core.routes import Route, Routes
from cairn.engine.core.snapshot import Buffered, Edit, Snapshot, Wait, whole
from cairn.engine.values.merging import ABSENT, Change
from cairn.engine.values.sealed import SealedEvent

STEPS = {"Start": ("begin",), "Part": ("work",), "Both": ("left", "right"), "Answer": ()}
ROUTES = Routes(
    lambda kind: Route(STEPS.get(kind, ()), stops=kind == "Stop"), joins={}, takes={}, bound={}
)


def event(type: str, **data: object) -> SealedEvent:
    return SealedEvent(type, data)


def sent(type: str, step: str | None = None, **data: object) -> Sent:
    return Sent(event(type, **data), step)


def after(*facts: Fact, snapshot: Snapshot | None = None) -> Snapshot:
    """The snapshot that the facts lead to, one by one."""
    snapshot = Snapshot() if snapshot is None else snapshot
    for fact in facts:
        snapshot = snapshot.after(advance(ROUTES, snapshot, fact))
    return snapshot


def pending(snapshot: Snapshot) -> list[tuple[int, str]]:
    return [(delivery.id, delivery.step) for delivery in snapshot.pending()]


STARTED = after(Received(sent("Start")))
FANNED_OUT = after(Completed(1, (sent("Part"), sent("Part"), sent("Part"))), snapshot=STARTED)


def test_an_event_becomes_one_delivery_for_each_step_that_takes_it() -> None:
    snapshot = after(Received(sent("Both", n=1)))
    assert [(d.step, d.event) for d in snapshot.pending()] == [
        ("left", event("Both", n=1)),
        ("right", event("Both", n=1)),
    ]


def test_an_event_for_one_step_becomes_one_delivery() -> None:
    snapshot = after(Received(sent("Both", step="right")))
    assert [d.step for d in snapshot.pending()] == ["right"]


def test_equal_events_are_deliveries_of_their_own() -> None:
    assert len({id_ for id_, _ in pending(FANNED_OUT)}) == 3


def test_a_delivery_is_pending_until_its_step_has_completed() -> None:
    ids = [id_ for id_, _ in pending(FANNED_OUT)]
    one_less = after(Completed(ids[1]), snapshot=FANNED_OUT)
    assert [id_ for id_, _ in pending(one_less)] == [ids[0], ids[2]]


def test_ids_are_never_given_twice() -> None:
    ids = [id_ for id_, _ in pending(FANNED_OUT)]
    snapshot = after(Completed(ids[2], (sent("Part"),)), snapshot=FANNED_OUT)
    new = {id_ for id_, _ in pending(snapshot)} - set(ids)
    assert len(new) == 1
    assert new.isdisjoint([1, *ids])


def test_a_snapshot_never_changes() -> None:
    before = to_json(whole(FANNED_OUT))
    after(Completed(pending(FANNED_OUT)[0][0], (sent("Stop"),)), snapshot=FANNED_OUT)
    assert to_json(whole(FANNED_OUT)) == before


def test_the_same_fact_gives_the_same_snapshot() -> None:
    fact = Completed(pending(FANNED_OUT)[0][0], (sent("Both"),), None, {"n": (Change(ABSENT, 1),)})
    assert after(fact, snapshot=FANNED_OUT) == after(fact, snapshot=FANNED_OUT)


def test_a_stop_event_ends_all_that_was_pending() -> None:
    stopped = after(Completed(pending(FANNED_OUT)[0][0], (sent("Stop", r=1),)), snapshot=FANNED_OUT)
    assert stopped.stopped == event("Stop", r=1)
    assert pending(stopped) == []
    assert not stopped.deliveries


def test_what_a_step_sent_after_a_stop_event_goes_nowhere() -> None:
    stopped = after(Completed(1, (sent("Stop"), sent("Part"))), snapshot=STARTED)
    assert pending(stopped) == []


def test_the_first_stop_event_counts() -> None:
    stopped = after(Completed(1, (sent("Stop", n=1), sent("Stop", n=2))), snapshot=STARTED)
    assert stopped.stopped == event("Stop", n=1)


def test_what_completed_steps_wrote_is_merged_into_the_state() -> None:
    one, two, three = (id_ for id_, _ in pending(FANNED_OUT))
    added = {"n": (Change(0, 1),)}
    snapshot = after(
        Completed(one, changes={"n": (Change(ABSENT, 0),), "untouched": (Change(ABSENT, "x"),)}),
        Completed(two, changes=added),
        Completed(three, changes=added),
        snapshot=FANNED_OUT,
    )
    assert dict(snapshot.state) == {"n": 2, "untouched": "x"}


def test_a_change_over_what_is_not_there_yet_counts_only_itself() -> None:
    one, two, _ = (id_ for id_, _ in pending(FANNED_OUT))
    snapshot = after(
        Completed(two, changes={"n": (Change(1, 11),)}),  # it had seen what `one` wrote
        snapshot=FANNED_OUT,
    )
    assert dict(snapshot.state) == {"n": 10}
    snapshot = after(Completed(one, changes={"n": (Change(ABSENT, 1),)}), snapshot=snapshot)
    assert dict(snapshot.state) == {"n": 11}


def test_a_removed_key_is_gone() -> None:
    one, two, _ = (id_ for id_, _ in pending(FANNED_OUT))
    snapshot = after(
        Completed(one, changes={"n": (Change(ABSENT, 1),)}),
        Completed(two, changes={"n": (Change(1, ABSENT),)}),
        snapshot=FANNED_OUT,
    )
    assert "n" not in snapshot.state


def test_a_waiting_delivery_stays_pending_and_what_it_has_sent_is_counted() -> None:
    snapshot = after(Waiting(Wait(1, "w", "Answer", {}), (sent("Part"),)), snapshot=STARTED)
    assert [(d.step, d.sent) for d in snapshot.pending()] == [("begin", 1), ("work", 0)]
    assert [wait.answer for wait in snapshot.waits.values()] == [None]


def test_an_event_answers_the_wait_that_wants_it() -> None:
    snapshot = after(
        Waiting(Wait(1, "w", "Answer", {"user": "ada"})),
        Received(sent("Answer", user="bob")),
        Received(sent("Answer", user="ada", n=1)),
        Received(sent("Answer", user="ada", n=2)),
        snapshot=STARTED,
    )
    (wait,) = snapshot.waits.values()
    assert wait.answer == event("Answer", user="ada", n=1)


def test_an_event_that_came_before_the_wait_answers_it_once() -> None:
    snapshot = after(
        Received(sent("Answer", n=1)),
        Received(sent("Answer", n=2)),
        Waiting(Wait(1, "first", "Answer", {})),
        Waiting(Wait(1, "second", "Answer", {})),
        Waiting(Wait(1, "third", "Answer", {})),
        snapshot=STARTED,
    )
    answers = {wait.waiter: wait.answer for wait in snapshot.waits.values()}
    assert answers == {
        "first": event("Answer", n=1),
        "second": event("Answer", n=2),
        "third": None,
    }


def test_of_two_events_at_once_the_first_answers_and_the_second_is_kept_for_the_next_wait() -> None:
    snapshot = after(
        Received(sent("Part")),
        Waiting(Wait(1, "first", "Answer", {})),
        Completed(2, (sent("Answer", n=1), sent("Answer", n=2))),
        Waiting(Wait(1, "second", "Answer", {})),
        snapshot=STARTED,
    )
    answers = {wait.waiter: wait.answer for wait in snapshot.waits.values()}
    assert answers == {"first": event("Answer", n=1), "second": event("Answer", n=2)}


def test_what_a_step_sends_may_answer_its_own_wait() -> None:
    snapshot = after(Waiting(Wait(1, "w", "Answer", {}), (sent("Answer", n=1),)), snapshot=STARTED)
    (wait,) = snapshot.waits.values()
    assert wait.answer == event("Answer", n=1)


def test_the_waits_of_a_delivery_end_with_it() -> None:
    snapshot = after(
        Waiting(Wait(1, "w", "Answer", {})),
        Received(sent("Answer")),
        Completed(1, (sent("Part"),)),
        snapshot=STARTED,
    )
    assert len(snapshot.waits) == 0
    assert [d.step for d in snapshot.pending()] == ["work"]


PUT_BY = Buffered(2, "work", "default", 0, event("Part"))


def test_what_is_put_by_stays_until_it_is_taken_away() -> None:
    one, two, _ = (id_ for id_, _ in pending(FANNED_OUT))
    snapshot = after(Completed(one, buffers=Edit({PUT_BY.key: PUT_BY})), snapshot=FANNED_OUT)
    assert dict(snapshot.buffers) == {PUT_BY.key: PUT_BY}
    snapshot = after(Completed(two, buffers=Edit(drop=(PUT_BY.key,))), snapshot=snapshot)
    assert len(snapshot.buffers) == 0


def test_nothing_is_left_of_what_was_put_by_when_the_run_stops() -> None:
    one, two, _ = (id_ for id_, _ in pending(FANNED_OUT))
    snapshot = after(
        Completed(one, buffers=Edit({PUT_BY.key: PUT_BY})),
        Completed(two, (sent("Stop"),)),
        snapshot=FANNED_OUT,
    )
    assert len(snapshot.buffers) == 0


def test_every_snapshot_goes_to_json_and_back() -> None:
    one, two, _ = (id_ for id_, _ in pending(FANNED_OUT))
    snapshot = after(
        Received(sent("Answer", early=True)),
        Completed(two, buffers=Edit({PUT_BY.key: PUT_BY}), changes={"n": (Change(ABSENT, 1),)}),
        Waiting(Wait(one, "w", "Part", {"n": 1}, timeout=1.5), (sent("Part"),)),
        snapshot=FANNED_OUT,
    )
    assert Snapshot().after(from_json(to_json(whole(snapshot)))) == snapshot


def test_a_delta_is_as_large_as_its_fact_and_not_as_all_that_is_pending() -> None:
    few, many = (
        after(Completed(1, (sent("Part"),) * width), snapshot=STARTED) for width in (2, 1000)
    )
    sizes = [
        len(repr(to_json(advance(ROUTES, wide, Completed(wide.pending()[0].id, (sent("Part"),))))))
        for wide in (few, many)
    ]
    assert sizes[1] < sizes[0] + 20
