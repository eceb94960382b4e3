"""Names, notes and tags of runs and checkpoints: given by clients, and shown wherever these are."""

from typing import Any

import pytest

from tests.api import gates
from tests.api.asking import NOBODY, Cairn, Json, refused
from tests.api.deleting import delete
from tests.api.gates import BOUND

pytestmark = pytest.mark.databases(seldom=True)


async def patched(cairn: Cairn, path: str, **changes: Any) -> Json:
    response = await cairn.http.patch(path, json=changes)
    assert response.status_code == 200, response.text
    return dict(response.json())


def words(of: Json) -> tuple[str | None, str | None, list[str]]:
    return of["name"], of["note"], of["tags"]


async def test_a_run_is_named_noted_and_tagged_field_by_field(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    path = f"/runs/{run['id']}"
    assert words(run) == (None, None, [])
    assert words(await patched(cairn, path, name="first")) == ("first", None, [])
    assert words(await patched(cairn, path, tags=["b", "a", "b"])) == ("first", None, ["a", "b"])
    assert words(await patched(cairn, path, name=None, note="dull")) == (None, "dull", ["a", "b"])
    assert words(await cairn.get(path)) == (None, "dull", ["a", "b"])
    (listed,) = (await cairn.get("/runs"))["items"]
    assert words(listed) == (None, "dull", ["a", "b"])
    assert words(await patched(cairn, path)) == (None, "dull", ["a", "b"])


async def test_so_is_a_checkpoint_beside_its_run(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    await patched(cairn, f"/runs/{run['id']}", name="the run")
    checkpoint = (await cairn.checkpoints(run))[1]
    path = f"/checkpoints/{checkpoint['id']}"
    assert words(await patched(cairn, path, name="the joke", tags=["good"])) == (
        "the joke",
        None,
        ["good"],
    )
    assert words(await cairn.get(path)) == ("the joke", None, ["good"])
    shown = [words(each) for each in await cairn.checkpoints(run)]
    assert shown == [(None, None, []), ("the joke", None, ["good"]), (None, None, [])]
    assert words(await cairn.get(f"/runs/{run['id']}")) == ("the run", None, [])


async def test_a_run_with_a_tag_is_kept_and_its_words_go_with_it(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    path = f"/runs/{run['id']}"
    await patched(cairn, path, name="kept", tags=["keep"])
    refused(await delete(cairn, "runs", run["id"]), 409, f"Run {run['id']} is tagged", path)
    await patched(cairn, path, tags=[])
    assert (await delete(cairn, "runs", run["id"])).status_code == 204
    refused(await cairn.http.patch(path, json={"name": "gone"}), 404)


async def test_a_run_under_way_shows_its_words_at_once(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "words"})
    await gates.reached("words")
    path = f"/runs/{run['id']}"
    assert words(await patched(cairn, path, note="slow")) == (None, "slow", [])
    assert words(await cairn.get(path)) == (None, "slow", [])
    gates.open_gate("words")
    response = await cairn.http.get(path, headers={"Prefer": f"wait={BOUND:.0f}"})
    assert response.json()["status"] == "completed"
    assert words(response.json()) == (None, "slow", [])


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x" * 201},
        {"note": "a\0b"},
        {"note": "x" * 10_001},
        {"tags": None},
        {"tags": [""]},
        {"tags": "good"},
        {"colour": "red"},
    ],
)
async def test_words_that_cannot_be_are_refused(cairn: Cairn, change: Json) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    (checkpoint, *_) = await cairn.checkpoints(run)
    for path in (f"/runs/{run['id']}", f"/checkpoints/{checkpoint['id']}"):
        refused(await cairn.http.patch(path, json=change), 422, *change)
        assert words(await cairn.get(path)) == (None, None, [])


async def test_what_is_not_there_cannot_be_annotated(cairn: Cairn) -> None:
    for path in (f"/runs/{NOBODY}", f"/checkpoints/{NOBODY}"):
        refused(await cairn.http.patch(path, json={"name": "a"}), 404)


async def test_runs_are_found_by_their_names_and_tags(cairn: Cairn) -> None:
    runs = [await cairn.completed("joke", {"topic": topic}) for topic in ("a", "b", "c")]
    for run, name, tags in zip(runs, ("one", "two", None), (["x"], ["x", "y"], ["z"]), strict=True):
        await patched(cairn, f"/runs/{run['id']}", name=name, tags=tags)
    first, second, third = (run["id"] for run in runs)
    for query, wanted in (
        ({"name": "one"}, [first]),
        ({"name": ["one", "two"]}, [second, first]),
        ({"tag": "x"}, [second, first]),
        ({"tag": ["y", "z"]}, [third, second]),
        ({"tag": "x", "name": "two", "workflow": "joke"}, [second]),
        ({"tag": "a\0"}, []),
        ({"name": "none"}, []),
    ):
        assert [run["id"] for run in (await cairn.get("/runs", **query))["items"]] == wanted, query
