"""A database of every released revision, with data in it, is upgraded and served."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from cairn.cli import cli
from cairn.store.migrations import newest
from tests.api import gates
from tests.api.asking import Cairn, Json, refused, serving, steps
from tests.store.earlier import REVISIONS, fill

CAIRN = Path(sys.executable).with_name("cairn")
RELEASED = sorted(path.stem for path in REVISIONS.glob("*.json"))


def ask(*words: str, url: str) -> Result:
    """What the command line says of the database."""
    return CliRunner().invoke(cli, [*words, "--database-url", url])


def serve(url: str) -> subprocess.CompletedProcess[str]:
    """How the service ends that refuses to start on the database."""
    return subprocess.run(
        [CAIRN, "serve", "--port", "0", "--database-url", url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(params=RELEASED)
def revision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def names(revision: str, database_url: str) -> dict[str, Any]:
    gates.forget()
    return fill(database_url, revision)


@pytest.fixture
async def cairn(names: dict[str, Any], database_url: str) -> AsyncIterator[Cairn]:
    """The service, on what became of the database."""
    upgraded = ask("db", "upgrade", url=database_url)
    assert upgraded.exit_code == 0, upgraded.stderr
    async with serving(database_url, drain_seconds=0.1) as cairn:
        yield cairn


async def run_of(cairn: Cairn, id_: str) -> Json:
    seen: Json = await cairn.get(f"/runs/{id_}")
    return seen


async def test_all_runs_are_there_as_they_ended(cairn: Cairn, names: dict[str, Any]) -> None:
    seen = {run["id"]: run for run in (await cairn.get("/runs", limit=100))["items"]}
    assert len(seen) == 18
    assert [seen[id_]["result"] for id_ in names["counted"]] == [1, 3, 6]
    assert seen[names["scattered"]]["result"] == seen[names["rerun"]]["result"] == [0, 1, 2, 3]
    assert seen[names["rerun"]]["parent_run_id"] == names["scattered"]
    assert seen[names["joked"]]["result"] == "a critique of a joke about " + "long " * 300
    assert seen[names["failed"]]["status"] == "failed"
    assert seen[names["failed"]]["error"]["message"] == "no room for disk"
    assert seen[names["cancelled"]]["status"] == "cancelled"
    async with asyncio.timeout(10):  # it is woken once, to write down what it waits for
        waiting = seen[names["waiting"]]
        while not waiting["waiting_for"]:
            waiting = await run_of(cairn, names["waiting"])
    assert waiting["status"] == "waiting"


async def test_checkpoints_are_listed_and_filtered(cairn: Cairn, names: dict[str, Any]) -> None:
    run = await run_of(cairn, names["scattered"])
    checkpoints = await cairn.checkpoints(run)
    assert [c["seq"] for c in checkpoints] == list(range(1, run["checkpoint_count"] + 1))
    assert steps(checkpoints) == ["scatter"] + ["work"] * 4 + ["gather"] * 4
    worked = await cairn.checkpoints(run, last_completed_step="work", output_event_type="Done")
    assert worked == [c for c in checkpoints if c["last_completed_step"] == "work"]
    stops = await cairn.checkpoints(run, output_event_type="StopEvent", include="events")
    assert [c["output_event"]["data"] for c in stops] == [{"result": [0, 1, 2, 3]}]
    counted = await run_of(cairn, names["counted"][0])
    page = await cairn.get(
        f"/contexts/{counted['context_id']}/checkpoints", last_completed_step="count"
    )
    assert [c["run_id"] for c in page["items"]] == names["counted"]


async def test_every_checkpoint_is_shown_whole(cairn: Cairn, names: dict[str, Any]) -> None:
    shown = 0
    for run in (await cairn.get("/runs", limit=100))["items"]:
        for listed in await cairn.checkpoints(run, include="events"):
            whole = await cairn.get(f"/checkpoints/{listed['id']}")
            state = whole.pop("ctx_state")
            assert whole == listed
            assert state["is_running"] == (listed["output_event_type"] != "StopEvent")
            shown += 1
    assert shown > 50
    counted = await run_of(cairn, names["counted"][1])
    last = (await cairn.checkpoints(counted))[-1]
    state = (await cairn.get(f"/checkpoints/{last['id']}"))["ctx_state"]
    assert "3" in str(state["globals"]["count"])


@pytest.mark.parametrize("revision", RELEASED[1:], indirect=True)  # the first one knows no tags
async def test_a_checkpoint_keeps_its_tag(cairn: Cairn, names: dict[str, Any]) -> None:
    assert (await cairn.get(f"/checkpoints/{names['tagged']}"))["tags"] == ["kept"]
    refused(await cairn.http.delete(f"/runs/{names['joked']}"), 409)


@pytest.mark.parametrize("name", ["scattered", "rerun"])
async def test_a_rerun_from_any_old_checkpoint_gives_what_the_run_gave(
    cairn: Cairn, names: dict[str, Any], name: str
) -> None:
    for checkpoint in (await cairn.checkpoints(await run_of(cairn, names[name])))[:-1]:
        rerun = await cairn.until(await cairn.rerun(checkpoint), "completed")
        assert rerun["result"] == [0, 1, 2, 3], checkpoint


async def test_an_old_context_goes_on_where_it_stood(cairn: Cairn, names: dict[str, Any]) -> None:
    counted = await run_of(cairn, names["counted"][2])
    assert (await cairn.completed("counter", {"by": 4}, counted["context_id"]))["result"] == 10
    first = (await cairn.checkpoints(await run_of(cairn, names["counted"][1])))[0]
    rerun = await cairn.until(await cairn.rerun(first), "completed")
    assert rerun["result"] == 3, "its state, not what the context has become since"


async def test_a_failed_run_is_rerun_once_it_is_mended(cairn: Cairn, names: dict[str, Any]) -> None:
    gates.mended.add("disk")
    stood = (await cairn.checkpoints(await run_of(cairn, names["failed"])))[-1]
    rerun = await cairn.until(await cairn.rerun(stood), "completed")
    assert rerun["result"] == "disk is done"
    assert gates.executed == ["work"]


async def test_runs_that_wait_are_answered(cairn: Cairn, names: dict[str, Any]) -> None:
    waiting = await run_of(cairn, names["waiting"])
    await cairn.tell(waiting, "Verdict", approved=True, by="Cy")
    assert (await cairn.until(waiting, "completed"))["result"] == "paid by Cy"
    in_its_step = await run_of(cairn, names["mid_step"])
    await cairn.tell(in_its_step, "Verdict", approved=False)
    assert (await cairn.until(in_its_step, "completed"))["result"] == "8 refused"


async def test_a_message_that_nobody_had_heard_is_heard(
    cairn: Cairn, names: dict[str, Any]
) -> None:
    told = {"id": names["told"]}
    await cairn.tell(told, "Verdict", approved=True, by="Cy")
    assert (await cairn.until(told, "completed"))["result"] == ["Ann", "Bob", "Cy"]


async def test_what_was_under_way_goes_on_and_what_was_queued_comes_after_it(
    cairn: Cairn, names: dict[str, Any]
) -> None:
    await gates.reached("one")
    queued = {"id": names["queued"]}
    assert (await run_of(cairn, names["queued"]))["status"] == "queued"
    gates.open_gate("one")
    gates.open_gate("two")
    assert (await cairn.ended({"id": names["running"]}))["result"] == "through one"
    assert (await cairn.ended(queued))["result"] == "through two"
    sent = [c["output_event_type"] for c in await cairn.checkpoints(queued)]
    assert sent == ["Gated", "Arrived", "StopEvent"]


async def test_a_key_that_was_used_makes_nothing_new(cairn: Cairn, names: dict[str, Any]) -> None:
    body = {"workflow": "joke", "start_event": {"topic": "key"}}
    again = await cairn.http.post("/runs", json=body, headers={"Idempotency-Key": "once"})
    assert again.json()["id"] == names["keyed"]


async def test_old_runs_are_deleted_and_what_was_rerun_from_them_stays(
    cairn: Cairn, names: dict[str, Any]
) -> None:
    assert (await cairn.http.delete(f"/runs/{names['scattered']}")).status_code == 204
    refused(await cairn.http.get(f"/runs/{names['scattered']}"), 404)
    for checkpoint in (await cairn.checkpoints(await run_of(cairn, names["rerun"])))[:-1]:
        rerun = await cairn.until(await cairn.rerun(checkpoint), "completed")
        assert rerun["result"] == [0, 1, 2, 3]


def test_an_old_database_is_found_wanting_until_it_is_upgraded(
    names: dict[str, Any], revision: str, database_url: str
) -> None:
    found = ask("db", "current", url=database_url)
    assert found.exit_code == 0
    assert revision in found.stdout
    assert newest() in found.stdout
    wanting = ask("db", "check", url=database_url)
    assert wanting.exit_code == 1
    assert "cairn db upgrade" in wanting.stderr
    assert ask("db", "upgrade", url=database_url).exit_code == 0
    assert ask("db", "check", url=database_url).exit_code == 0
    assert revision not in ask("db", "current", url=database_url).stdout


async def test_a_file_is_copied_and_upgrades_itself(revision: str, tmp_path: Path) -> None:
    file = tmp_path / "cairn.db"
    url = f"sqlite:///{file}"
    names = fill(url, revision)
    async with serving(url, drain_seconds=0.1) as cairn:
        assert (await run_of(cairn, names["counted"][2]))["result"] == 6
    copy = tmp_path / f"cairn.db.before-{newest()}"
    engine = sa.create_engine(f"sqlite:///{copy}")
    with engine.connect() as connection:
        stood = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        assert stood == revision
        assert connection.scalar(sa.text("SELECT count(*) FROM runs")) == 18
    engine.dispose()


def test_a_server_is_not_started_on_an_older_postgresql(revision: str, postgresql: str) -> None:
    from tests.databases import fresh

    with fresh(postgresql) as url:
        fill(url, revision)
        refusal = serve(url)
        assert refusal.returncode == 2
        assert "cairn db upgrade" in refusal.stderr


def test_a_server_is_not_started_on_a_newer_database(database_url: str) -> None:
    assert ask("db", "upgrade", url=database_url).exit_code == 0
    engine = sa.create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    served = serve(database_url)
    assert served.returncode == 2
    upgraded = ask("db", "upgrade", url=database_url)
    assert upgraded.exit_code == 2
    for said in (served.stderr, upgraded.stderr):
        assert "9999" in said
        assert "cairn db upgrade" not in said
    assert ask("db", "check", url=database_url).exit_code == 1
