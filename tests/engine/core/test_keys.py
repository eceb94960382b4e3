"""Keys of a snapshot's parts are read as they were made, whatever the names in them."""

from hypothesis import given
from hypothesis import strategies as st

from cairn.engine.core.keys import (
    GatheredKey,
    Place,
    call_key,
    delivery_of,
    gathered_key,
    with_step_renamed,
)

NUMBERS = st.integers(0, 10**12)
STEPS = st.text(st.characters(exclude_characters=":"), min_size=1)  # the name of a function
SLOTS = st.text(st.characters(exclude_characters=":"))  # that of a parameter, or none


@given(NUMBERS, STEPS, SLOTS, NUMBERS)
def test_a_gathered_event_is_found_by_its_key(batch: int, step: str, slot: str, n: int) -> None:
    place = Place(batch, step, slot)
    assert GatheredKey.of(gathered_key(place.key, n)) == (place, n)


@given(NUMBERS, STEPS, SLOTS, NUMBERS, STEPS)
def test_a_renamed_step_is_renamed_in_its_keys(
    batch: int, step: str, slot: str, n: int, name: str
) -> None:
    before, after = Place(batch, step, slot).key, Place(batch, name, slot).key
    assert with_step_renamed(before, {step: name}) == after
    renamed = with_step_renamed(gathered_key(before, n), {step: name})
    assert renamed == gathered_key(after, n)
    assert with_step_renamed(before, {}) == before


@given(NUMBERS, NUMBERS, st.text())
def test_a_call_is_one_of_its_delivery_whatever_its_buffer_is_called(
    delivery: int, call: int, buffer: str
) -> None:
    assert delivery_of(call_key(delivery, call, buffer)) == delivery
