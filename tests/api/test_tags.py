"""Tags: words put to checkpoints."""

import pytest

from tests.api.asking import NOBODY, Cairn, Json, refused

pytestmark = pytest.mark.databases


@pytest.fixture
async def checkpoint(cairn: Cairn) -> Json:
    """The second of the three checkpoints of a joke."""
    run = await cairn.completed("joke", {"topic": "math"})
    return (await cairn.checkpoints(run))[1]


async def put(cairn: Cairn, checkpoint: Json, *tags: str) -> Json:
    response = await cairn.http.put(f"/checkpoints/{checkpoint['id']}/tags", json={"tags": tags})
    assert response.status_code == 200, response.text
    shown: Json = response.json()
    return shown


async def test_tags_are_shown_with_the_checkpoint(cairn: Cairn, checkpoint: Json) -> None:
    assert checkpoint["tags"] == []
    tagged = await put(cairn, checkpoint, "good", "a demo", "good")
    assert tagged == checkpoint | {"tags": ["a demo", "good"]}
    assert (await cairn.get(f"/checkpoints/{checkpoint['id']}"))["tags"] == ["a demo", "good"]
    listed = (await cairn.get(f"/runs/{checkpoint['run_id']}/checkpoints"))["items"]
    assert [c["tags"] for c in listed] == [[], ["a demo", "good"], []]


async def test_new_tags_replace_those_before(cairn: Cairn, checkpoint: Json) -> None:
    await put(cairn, checkpoint, "one", "two")
    assert (await put(cairn, checkpoint, "two", "three"))["tags"] == ["three", "two"]
    assert (await put(cairn, checkpoint))["tags"] == []


@pytest.mark.parametrize(
    "tags", [[""], ["x" * 101], ["a\nb"], ["a\0"], [str(n) for n in range(21)], "good", None, [1]]
)
async def test_what_is_no_tag_is_refused(cairn: Cairn, checkpoint: Json, tags: object) -> None:
    path = f"/checkpoints/{checkpoint['id']}/tags"
    refused(await cairn.http.put(path, json={"tags": tags}), 422, "tags")
    assert (await cairn.get(f"/checkpoints/{checkpoint['id']}"))["tags"] == []


async def test_what_is_not_there_cannot_be_tagged(cairn: Cairn) -> None:
    response = await cairn.http.put(f"/checkpoints/{NOBODY}/tags", json={"tags": ["good"]})
    refused(response, 404)
