"""Patches: one object made of another and back, the shortest way where that is cheap."""

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonpatch import JsonPatch

from cairn.service import patches
from cairn.service.patches import Operation, patch

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-1, 1) | st.text("a/~0", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.text("ab/~01", max_size=2), inner, max_size=4)
    ),
    max_leaves=20,
)
OBJECTS = st.dictionaries(st.text("ab/~01", max_size=2), JSON, max_size=4)
SECONDS = 10.0  # that no patch comes near; one that takes quadratic time takes minutes


def text(value: object) -> str:
    """The JSON, in which 1, 1.0 and true differ, with the members in one order."""
    return json.dumps(value, sort_keys=True)


def undone(operations: list[Operation]) -> list[dict[str, Any]]:
    """The patch that takes this one back, by the old values."""
    back = {
        "add": lambda it: {"op": "remove", "path": it["path"]},
        "remove": lambda it: {"op": "add", "path": it["path"], "value": it["old"]},
        "replace": lambda it: {"op": "replace", "path": it["path"], "value": it["old"]},
    }
    return [back[operation["op"]](operation) for operation in reversed(operations)]


def check(before: dict[str, Any], after: dict[str, Any]) -> list[Operation]:
    """The patch, which makes the one object of the other, and is undone by its old values."""
    begun, wanted = text(before), text(after)
    made = patch(before, after)
    assert (text(before), text(after)) == (begun, wanted), "neither is changed"
    assert text(JsonPatch(made).apply(before)) == wanted
    assert text(JsonPatch(undone(made)).apply(after)) == begun
    return made


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(OBJECTS, OBJECTS)
def test_a_patch_makes_any_object_of_any_other_and_its_old_values_make_it_back(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    check(before, after)


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(st.lists(JSON, max_size=6), st.lists(JSON, max_size=6), st.lists(JSON, max_size=3))
def test_a_patch_changes_lists_that_begin_and_end_alike(
    before: list[Any], after: list[Any], edge: list[Any]
) -> None:
    check({"a": [*edge, *before, *edge]}, {"a": [*edge, *after, *edge]})


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ({"n": 1}, {"n": 2}, [{"op": "replace", "path": "/n", "value": 2, "old": 1}]),
        ({"n": 1}, {"n": True}, [{"op": "replace", "path": "/n", "value": True, "old": 1}]),
        ({"n": 1}, {"n": 1.0}, [{"op": "replace", "path": "/n", "value": 1.0, "old": 1}]),
        ({}, {"n": None}, [{"op": "add", "path": "/n", "value": None}]),
        ({"n": None}, {}, [{"op": "remove", "path": "/n", "old": None}]),
        ({"a/b": {"~": 1}}, {"a/b": {"~": 2}},
         [{"op": "replace", "path": "/a~1b/~0", "value": 2, "old": 1}]),
        ({"a": [1, 2, 3]}, {"a": [0, 1, 2, 3]}, [{"op": "add", "path": "/a/0", "value": 0}]),
        ({"a": [1, 2, 3]}, {"a": [1, 3]}, [{"op": "remove", "path": "/a/1", "old": 2}]),
        ({"a": [{"b": 1}, 5]}, {"a": [{"b": 2}, 5]},
         [{"op": "replace", "path": "/a/0/b", "value": 2, "old": 1}]),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, []),
        ({"a": [10**400]}, {"a": [10**400, 1]}, [{"op": "add", "path": "/a/1", "value": 1}]),
    ],
)  # fmt: skip
def test_a_small_change_is_a_small_patch(
    before: dict[str, Any], after: dict[str, Any], wanted: list[Operation]
) -> None:
    assert check(before, after) == wanted


def test_one_more_item_of_a_long_list_is_one_operation() -> None:
    messages = [{"role": "user", "content": f"{number} " + "x" * 200} for number in range(5_000)]
    made = check({"messages": messages}, {"messages": [*messages, {"role": "tool"}]})
    assert made == [{"op": "add", "path": "/messages/5000", "value": {"role": "tool"}}]


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value, value] if depth < 10 else [value, "x" * 10_000]
    return value


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (list(range(100_000)), list(range(100_000))[::-1]),
        ([0, 1] * 50_000, [0, 0, 1] * 30_000),
        ([{"n": n} for n in range(30_000)], [{"n": -n} for n in range(30_000)]),
        ({"x" * 1_000_000: dict.fromkeys(map(str, range(50_000)), 1)},
         {"x" * 1_000_000: dict.fromkeys(map(str, range(50_000)), 2)}),
        ({"x" * 1_000_000: [[1]] * 50_000}, {"x" * 1_000_000: [[1], [2]] * 50_000}),
        (nested(1, 200), nested(2, 200)),
    ],
    ids=["reversed", "repeated", "objects", "long name", "long name of lists", "deep"],
)  # fmt: skip
def test_values_that_differ_everywhere_take_a_bounded_time_and_a_patch_of_their_length(
    before: Any, after: Any
) -> None:
    one, other = {"a": before, "same": 1}, {"a": after, "same": 1}
    begun = time.monotonic()
    made = patch(one, other)
    assert time.monotonic() - begun < SECONDS
    assert len(text(made)) < len(text(one)) + len(text(other)) + 2 * patches.MOST_IN_ALL
    assert text(JsonPatch(made).apply(one)) == text(other)
