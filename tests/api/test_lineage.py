"""Lineage: the tree of reruns, from any run in it, page by page."""

import pytest

from tests.api.asking import NOBODY, Cairn, Json, refused
from tests.api.deleting import delete, gone

pytestmark = pytest.mark.databases(seldom=True)

RELATIVE = {
    "id",
    "workflow",
    "status",
    "parent_run_id",
    "origin_checkpoint_id",
    "origin_seq",
    "name",
    "tags",
    "created_at",
}


async def lineage(cairn: Cairn, run: Json) -> list[Json]:
    page = await cairn.get(f"/runs/{run['id']}/lineage")
    assert page["next_cursor"] is None
    return list(page["items"])


@pytest.fixture
async def family(cairn: Cairn) -> list[Json]:
    """A run, two reruns of it, and a rerun of the first of these; there is another run as well."""
    await cairn.completed("joke", {"topic": "elsewhere"})
    run = await cairn.completed("joke", {"topic": "math"})
    own = await cairn.checkpoints(run)
    child, other = [await cairn.until(await cairn.rerun(own[it]), "completed") for it in (0, 1)]
    [told, _] = await cairn.checkpoints(child)
    grandchild = await cairn.until(await cairn.rerun(told), "completed")
    return [run, child, other, grandchild]


async def test_every_run_of_a_tree_shows_the_whole_tree(cairn: Cairn, family: list[Json]) -> None:
    shown = await lineage(cairn, family[0])
    assert all(it.keys() == RELATIVE for it in shown)
    for run, it in zip(family, shown, strict=True):
        assert {key: it[key] for key in RELATIVE - {"origin_seq"}} == {
            key: run[key] for key in RELATIVE - {"origin_seq"}
        }
    assert [it["origin_seq"] for it in shown] == [None, 1, 2, 1]
    for run in family[1:]:
        assert await lineage(cairn, run) == shown


async def test_a_run_that_was_never_rerun_is_its_own_tree(cairn: Cairn) -> None:
    run = await cairn.until(await cairn.start("approval", {"amount": 1}), "waiting")
    [alone] = await lineage(cairn, run)
    assert (alone["id"], alone["status"], alone["parent_run_id"]) == (run["id"], "waiting", None)


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_pages_show_every_run_once(cairn: Cairn, family: list[Json], limit: int) -> None:
    pages = await cairn.pages(f"/runs/{family[2]['id']}/lineage", limit=limit)
    assert [run["id"] for page in pages for run in page] == [run["id"] for run in family]
    assert all(len(page) == limit for page in pages[:-1])


async def test_runs_of_a_deleted_parent_stay_in_the_tree(
    cairn: Cairn, family: list[Json], database: str
) -> None:
    run, child, other, grandchild = family
    for deleted, left in ((child, [run, other, grandchild]), (run, [other, grandchild])):
        assert (await delete(cairn, "runs", deleted["id"])).status_code == 204
        await gone(database, "deletions")
        shown = await lineage(cairn, grandchild)
        assert [it["id"] for it in shown] == [it["id"] for it in left]
        assert shown[-1]["parent_run_id"] == child["id"]
        assert shown[-1]["origin_seq"] is None
        refused(await cairn.http.get(f"/runs/{deleted['id']}/lineage"), 404, deleted["id"])


async def test_what_is_not_there_has_no_lineage(cairn: Cairn) -> None:
    refused(await cairn.http.get(f"/runs/{NOBODY}/lineage"), 404, NOBODY)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"depth": "2"}, "depth"),
    ],
)
async def test_a_query_that_is_wrong_is_refused_by_its_name(
    cairn: Cairn, query: dict[str, str], name: str
) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    problem = refused(await cairn.http.get(f"/runs/{run['id']}/lineage", params=query), 422)
    assert problem["errors"][0]["where"] == ["query", name]


async def test_the_words_about_a_run_are_shown_in_its_tree(cairn: Cairn) -> None:
    run = await cairn.completed("joke", {"topic": "math"})
    first, *_ = await cairn.checkpoints(run)
    rerun = await cairn.ended(await cairn.rerun(first))
    words = {"name": "again", "tags": ["b", "a"]}
    await cairn.http.patch(f"/runs/{rerun['id']}", json=words)
    tree = (await cairn.get(f"/runs/{run['id']}/lineage"))["items"]
    assert [(each["name"], each["tags"]) for each in tree] == [(None, []), ("again", ["a", "b"])]
