"""Keys of a snapshot's parts are read as they were made, whatever the names in them."""

from hypothesis import example, given
from hypothesis import strategies as st
from immutables import Map

from cairn.engine.core.keys import (
    CallKey,
    GatheredKey,
    Place,
    call_key,
    gathered_key,
    place_key,
    wait_key,
)
from cairn.engine.core.snapshot import Gathered, Queue, Snapshot
from cairn.engine.values.sealed import SealedEvent

NUMBERS = st.integers(0, 10**12)
NAMES = st.text(st.sampled_from(":0 1a\n")) | st.text()
SLOTS = st.from_regex(r"[a-zé_][a-z0-9_]*", fullmatch=True) | st.just("")


@given(NUMBERS, NUMBERS, NAMES)
def test_the_key_of_a_call_tells_its_delivery_its_number_and_its_buffer(
    delivery: int, call: int, buffer: str
) -> None:
    assert CallKey.of(call_key(delivery, call, buffer)) == (delivery, call, buffer)


@given(NUMBERS, NAMES, SLOTS)
@example(0, "jo:in", "")
def test_the_key_of_a_place_tells_its_batch_its_step_and_its_slot(
    batch: int, step: str, slot: str
) -> None:
    key = place_key(batch, step, slot)
    assert Place.of(key) == (batch, step, slot)
    assert Place.of(key).key == key


@given(NUMBERS, NAMES, SLOTS, NUMBERS)
@example(0, "jo:in", "left", 7)
def test_the_key_of_a_gathered_event_tells_its_place_and_its_number(
    batch: int, step: str, slot: str, number: int
) -> None:
    key = gathered_key(place_key(batch, step, slot), number)
    assert GatheredKey.of(key) == (Place(batch, step, slot), number)
    assert GatheredKey.of(key).key == key


@given(st.tuples(NUMBERS, NAMES), st.tuples(NUMBERS, NAMES))
@example((1, "1:a"), (11, "a"))
def test_two_waits_have_two_keys(one: tuple[int, str], other: tuple[int, str]) -> None:
    assert (wait_key(*one) == wait_key(*other)) == (one == other)


@given(NUMBERS, NAMES, SLOTS, NUMBERS, NAMES)
def test_a_renamed_step_gathers_under_its_new_name(
    batch: int, step: str, slot: str, number: int, name: str
) -> None:
    def gathering(step: str) -> Snapshot:
        place, event = place_key(batch, step, slot), Gathered(SealedEvent("Part", {}), 0, {})
        key = gathered_key(place, number)
        return Snapshot(queues=Map({place: Queue(next=1)}), gathered=Map({key: event}))

    assert gathering(step).renamed({step: name}) == gathering(name)
    assert gathering(step).renamed({f"{step}.": name}) == gathering(step)


def test_the_forms_of_keys_are_those_of_stored_snapshots() -> None:
    assert wait_key(3, "answer") == "3:answer"
    assert call_key(3, 1, "default") == "3:1:default"
    assert place_key(4, "join", "left") == "4:join:left"
    assert gathered_key(place_key(0, "collect", ""), 2) == "0:collect::2"
