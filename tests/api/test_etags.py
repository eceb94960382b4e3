"""Tags of answers: who has the present answer already is told so, and nothing is read for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from cairn.api import etags
from cairn.store import standings
from tests.api.asking import NOBODY, Cairn, Json, refused
from tests.api.files import Serve, serve
from tests.api.gates import open_gate, reached
from tests.api.test_waiting import TIMED

__all__ = ["serve"]

pytestmark = pytest.mark.databases(seldom=True)

PAYLOADS = ("start_event", "stop_event", "input_event", "output_event", "delta", "whole", "content")


@contextmanager
def no_payload_read() -> Iterator[None]:
    """Nothing asks the database for a payload meanwhile."""
    asked: list[str] = []

    def note(_c: Any, _r: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            asked.append(statement.partition(" FROM ")[0])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    read = [statement for statement in asked if any(name in statement for name in PAYLOADS)]
    assert read == []


async def tag_of(cairn: Cairn, path: str, **query: Any) -> str:
    """The tag of the present answer, which is weak and to be asked for each time."""
    response = await cairn.http.get(path, params=query)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-cache"
    tag = response.headers["etag"]
    assert etags.TAG.fullmatch(tag)
    assert tag.startswith("W/")
    return tag


async def is_modified(cairn: Cairn, path: str, tag: str, **query: Any) -> bool:
    """Whether a client with this tag gets an answer; if not, it gets nothing but the tag."""
    response = await cairn.http.get(path, params=query, headers={"If-None-Match": tag})
    if response.status_code == 304:
        assert response.content == b""
        assert response.headers["etag"] in tag or tag == "*"
        assert response.headers["cache-control"] == "no-cache"
        return False
    assert response.status_code == 200, response.text
    assert response.headers["etag"] not in tag
    assert response.json()
    return True


async def test_a_run_is_answered_anew_once_it_has_moved(cairn: Cairn) -> None:
    run = await cairn.start("slow", {"gate": "etag"})
    path = f"/runs/{run['id']}"
    await reached("etag")  # from here on the process has the run in memory
    tag = await tag_of(cairn, path)
    with no_payload_read():
        assert not await is_modified(cairn, path, tag)
    open_gate("etag")
    ended = await cairn.ended(run)
    assert await is_modified(cairn, path, tag)
    tag = await tag_of(cairn, path)
    with no_payload_read():  # and from here on the database has
        assert not await is_modified(cairn, path, tag)
    assert await cairn.get(path) == ended


async def test_what_memory_says_of_a_run_has_the_tag_of_what_the_database_says(
    cairn: Cairn, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await cairn.start("slow", {"gate": "both"})
    await reached("both")
    tag = await tag_of(cairn, f"/runs/{run['id']}")
    with monkeypatch.context() as patch:
        patch.setattr("cairn.executor.worker.Worker.view", lambda *_: None)
        with no_payload_read():
            assert not await is_modified(cairn, f"/runs/{run['id']}", tag)
        assert await tag_of(cairn, f"/runs/{run['id']}") == tag
    open_gate("both")
    await cairn.ended(run)


async def test_a_wait_ends_with_nothing_for_who_has_the_answer(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    path = f"/runs/{run['id']}"
    headers = {"If-None-Match": await tag_of(cairn, path), "Prefer": "wait=7"}
    response = await cairn.http.get(path, headers=headers)
    assert response.status_code == 304
    assert response.headers["preference-applied"] == "wait=7"


async def test_a_waiting_run_is_answered_anew_where_its_code_asks_for_other_fields(
    serve: Serve,
) -> None:
    async with serve(TIMED) as cairn:
        run = await cairn.until(await cairn.start("twice"), "waiting")
        tag = await tag_of(cairn, f"/runs/{run['id']}")
    async with serve(TIMED) as cairn:
        assert not await is_modified(cairn, f"/runs/{run['id']}", tag)
    async with serve(TIMED.replace("said: str", "said: str\n    loudly: bool = False")) as cairn:
        assert await is_modified(cairn, f"/runs/{run['id']}", tag)


async def test_a_checkpoint_is_answered_anew_once_its_tags_are_others(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    first, second, _ = await cairn.checkpoints(run)
    path = f"/checkpoints/{second['id']}"
    tag = await tag_of(cairn, path)
    assert tag != await tag_of(cairn, f"/checkpoints/{first['id']}")
    with no_payload_read():
        assert not await is_modified(cairn, path, tag)
    await cairn.http.put(f"{path}/tags", json={"tags": ["good"]})
    assert await is_modified(cairn, path, tag)
    await cairn.http.put(f"{path}/tags", json={"tags": []})
    assert not await is_modified(cairn, path, tag), "it is as it was"


async def test_a_list_of_checkpoints_is_answered_anew_once_there_are_more_or_other_tags(
    cairn: Cairn,
) -> None:
    run = await cairn.start("slow", {"gate": "list"})
    await reached("list")
    path = f"/runs/{run['id']}/checkpoints"
    queries: list[Json] = [
        {},
        {"include": "events"},
        {"limit": 1},
        {"last_completed_step": "arrive"},
    ]
    tags = [await tag_of(cairn, path, **query) for query in queries]
    assert len(set(tags)) == len(queries), "each query has its own"
    with no_payload_read():
        for query, tag in zip(queries, tags, strict=True):
            assert not await is_modified(cairn, path, tag, **query)
    open_gate("list")
    await cairn.ended(run)
    for query, tag in zip(queries, tags, strict=True):
        assert await is_modified(cairn, path, tag, **query)
    tag = await tag_of(cairn, path)
    [first, *_] = await cairn.checkpoints(run)
    await cairn.http.put(f"/checkpoints/{first['id']}/tags", json={"tags": ["good"]})
    assert await is_modified(cairn, path, tag)
    await cairn.http.put(f"/checkpoints/{first['id']}/tags", json={"tags": ["better"]})
    assert await is_modified(cairn, path, tag)


async def test_a_run_with_very_many_tags_has_lists_without_one(
    cairn: Cairn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standings, "MOST_WORDS", 2)
    run = await cairn.completed("joke", {"topic": "math"})
    path = f"/runs/{run['id']}/checkpoints"
    tags = [str(n) for n in range(3)]
    [first, *_] = await cairn.checkpoints(run)
    await cairn.http.put(f"/checkpoints/{first['id']}/tags", json={"tags": tags})
    for headers in ({}, {"If-None-Match": 'W/"some"'}):
        response = await cairn.http.get(path, headers=headers)
        assert response.status_code == 200
        assert "etag" not in response.headers
        assert response.json()["items"][0]["tags"] == tags


async def test_what_is_gone_is_not_found_whatever_the_client_has(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    [first, *_] = await cairn.checkpoints(run)
    paths = [f"/runs/{run['id']}", f"/runs/{run['id']}/checkpoints", f"/checkpoints/{first['id']}"]
    tags = [await tag_of(cairn, path) for path in paths]
    assert (await cairn.http.delete(f"/runs/{run['id']}")).status_code == 204
    for path, tag in zip(paths, tags, strict=True):
        for given in (tag, "*"):
            refused(await cairn.http.get(path, headers={"If-None-Match": given}), 404)
    refused(await cairn.http.get(f"/runs/{NOBODY}", headers={"If-None-Match": "*"}), 404)


@pytest.mark.parametrize(
    ("given", "is_known"),
    [
        ("{}", True),
        ("*", True),
        ('"other", {}', True),
        ('W/"a,b" , {},W/"c"', True),
        ('W/"other"', False),
        ("nonsense", False),
        ("", False),
        ('"*"', False),
    ],
)
async def test_a_client_names_the_tags_it_has(cairn: Cairn, given: str, is_known: bool) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    path = f"/runs/{run['id']}"
    tag = await tag_of(cairn, path)
    for form in (tag, tag.removeprefix("W/")):  # they are compared weakly
        headers = {"If-None-Match": given.format(form)}
        response = await cairn.http.get(path, headers=headers)
        assert response.status_code == (304 if is_known else 200)
