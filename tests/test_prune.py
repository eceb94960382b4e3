"""`cairn prune`: what a person is told, and what goes."""

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from cairn.main import prune as prune_with
from cairn.settings import Settings
from tests.api.asking import Cairn, Json, serving
from tests.api.deleting import delete, gone, ids, prune, rows, tag
from tests.command import cairn as command

LONG = "long " * 2_000
TABLES = ("runs", "contexts", "checkpoints", "blobs", "blob_refs", "deletions", "tags", "requests")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is set by whoever runs these tests, and they leave nothing where they are run."""
    for name in os.environ:
        if name.startswith("CAIRN_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "1000")
    monkeypatch.chdir(tmp_path)


def numbers(answer: Result) -> dict[str, int]:
    """How many of each it says have gone, or would go."""
    assert answer.exit_code == 0, answer.stderr
    assert answer.stderr == ""
    found = re.findall(r"([\d,]+) (run|context|checkpoint)", answer.stdout)
    return {what: int(number.replace(",", "")) for number, what in found}


def told_why(answer: Result, *words: str) -> None:
    """It refused with these words, as one sentence for a person."""
    assert answer.exit_code == 2, (answer.stdout, answer.exception)
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    for word in words:
        assert word in answer.stderr


def held(database: str) -> list[int]:
    return [rows(database, table) for table in TABLES]


async def three_runs(cairn: Cairn) -> list[Json]:
    return [await cairn.completed("joke", {"topic": f"{n} {LONG}"}) for n in range(3)]


async def test_a_dry_run_says_how_much_would_go_and_changes_nothing(database_url: str) -> None:
    async with serving(database_url) as cairn:
        runs = await three_runs(cairn)
        before = held(database_url)
        dry = await prune(database_url, "--runs", "1", "--dry-run")
        assert held(database_url) == before
        assert await ids(cairn) == {run["id"] for run in runs}
        told = numbers(dry)
        done = await prune(database_url, "--runs", "1")
        assert await ids(cairn) == {runs[2]["id"]}
        assert held(database_url)[:3] == [1, 1, 3]
        assert (told["run"], told["context"], told["checkpoint"]) == (2, 2, 6)
        assert numbers(done) == told
        again = numbers(await prune(database_url, "--runs", "1"))
        assert set(again.values()) == {0}
        assert again.keys() == told.keys()


async def test_a_dry_run_on_no_database_makes_none(tmp_path: Path) -> None:
    file = tmp_path / "mistyped.db"
    answer = await prune(f"sqlite:///{file}", "--days", "1", "--dry-run")
    assert answer.exit_code in {0, 2}
    assert os.listdir(tmp_path) == []


async def test_pruning_needs_no_service(database_url: str) -> None:
    async with serving(database_url) as cairn:
        run = await cairn.completed("joke", {"topic": LONG})
        rerun = await cairn.until(await cairn.rerun((await cairn.checkpoints(run))[1]), "completed")
        await tag(cairn, (await cairn.checkpoints(rerun))[0], "kept")
    assert numbers(await prune(database_url, "--days", "0"))["run"] == 1
    assert rows(database_url, "workers") == 0
    async with serving(database_url) as cairn:
        assert await ids(cairn) == {rerun["id"]}
        assert (await cairn.get(f"/runs/{rerun['id']}"))["result"].startswith("a critique")
        await tag(cairn, (await cairn.checkpoints(rerun))[0])
    assert numbers(await prune(database_url, "--days", "0"))["context"] == 1
    assert held(database_url) == [0] * len(TABLES)


async def test_the_settings_count_and_the_options_go_before_them(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(database_url) as cairn:
        await cairn.completed("joke", {"topic": "math"})
        await cairn.ended(await cairn.start("failing", {"fault": "disk"}))
    monkeypatch.setenv("CAIRN_RETAIN_DAYS", "0")
    monkeypatch.setenv("CAIRN_RETAIN_STATUSES", '["cancelled"]')
    dry = ("--dry-run",)
    assert numbers(await prune(database_url, *dry))["run"] == 0
    assert numbers(await prune(database_url, *dry, "--status", "failed"))["run"] == 1
    both = ("--status", "failed", "--status", "completed")
    assert numbers(await prune(database_url, *dry, *both))["run"] == 2
    assert numbers(await prune(database_url, *dry, *both, "--days", "1"))["run"] == 0
    assert numbers(await prune(database_url, *dry, *both, "--days", "1", "--runs", "0"))["run"] == 2


async def pruning(database: str, **limits: Any) -> int:
    """Prune as the command does, in a thread of its own; how many runs it says have gone."""
    settings = Settings(database_url=database, **limits)
    told = await asyncio.to_thread(lambda: asyncio.run(prune_with(settings, dry_run=False)))
    return int(told.split()[1])


async def test_two_who_prune_while_the_service_works_and_deletes(database_url: str) -> None:
    async with serving(database_url) as cairn:
        runs = [await cairn.completed("joke", {"topic": LONG}) for _ in range(40)]
        counts = asyncio.gather(
            pruning(database_url, retain_days=0), pruning(database_url, retain_runs=0)
        )
        answers = [await delete(cairn, "runs", run["id"]) for run in reversed(runs)]
        assert {answer.status_code for answer in answers} <= {204, 404}
        deleted = sum(answer.status_code == 204 for answer in answers)
        assert sum(await counts) + deleted == len(runs)
        assert await ids(cairn) == set()
        for table in ("checkpoints", "deletions", "blobs"):
            await gone(database_url, table)
        assert await cairn.completed("joke", {"topic": LONG})


def test_the_command_itself_says_what_to_give_and_leaves_with_2(tmp_path: Path) -> None:
    done = command("prune", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    for word in ("--days", "--runs", "CAIRN_RETAIN_DAYS", "CAIRN_RETAIN_RUNS"):
        assert word in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--status", "failed"], "--days"),
        (["--dry-run"], "--runs"),
        (["--days", "-1"], "--days"),
        (["--days", "nan"], "--days"),
        (["--days", "soon"], "--days"),
        (["--days", ""], "--days"),
        (["--runs", "-1"], "--runs"),
        (["--runs", "1.5"], "--runs"),
        (["--days", "1", "--status", "waiting"], "completed"),
        (["--days", "1", "--status", ""], "completed"),
        (["--days", "1", "everything"], "everything"),
        (["--day", "1", "--force"], "No such option"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else "",
)
async def test_what_does_not_fit_is_refused_and_nothing_is_made(
    tmp_path: Path, words: list[str], named: str
) -> None:
    told_why(await prune(f"sqlite:///{tmp_path / 'cairn.db'}", *words), named)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "words", [["--days", "inf"], ["--days", "1e10"], ["--days", "1000000"], ["--runs", "1" * 20]]
)
async def test_limits_that_are_never_reached_are_refused_or_take_nothing(
    tmp_path: Path, words: list[str]
) -> None:
    database = f"sqlite:///{tmp_path / 'cairn.db'}"
    async with serving(database) as cairn:
        run = await cairn.completed("joke", {"topic": "math"})
        answer = await prune(database, *words)
        assert answer.exit_code in {0, 2}, answer.exception
        assert await ids(cairn) == {run["id"]}
        assert len(await cairn.checkpoints(run)) == 3


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("CAIRN_RETAIN_STATUSES", "completed"),
        ("CAIRN_RETAIN_STATUSES", '["waiting"]'),
        ("CAIRN_RETAIN_DAYS", "soon"),
        ("CAIRN_RETAIN_RUNS", "-1"),
        ("CAIRN_PRUNE_EVERY_SECONDS", "0"),
    ],
)
async def test_a_setting_that_does_not_fit_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    monkeypatch.setenv(name, given)
    told_why(await prune(f"sqlite:///{tmp_path / 'cairn.db'}"), name)


async def test_a_database_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for url, word in (
        ("nonsense", "nonsense"),
        (f"sqlite:///{tmp_path}/no/folder/cairn.db", "folder"),
        ("mysql://root:secret@localhost/x", "mysql"),
        ("postgresql://root:secret@127.0.0.1:1/x", "127.0.0.1"),
    ):
        answer = await prune(url, "--days", "1", "--dry-run")
        told_why(answer, word)
        assert "secret" not in answer.stderr
    text = tmp_path / "text.db"
    text.write_text("this is no database" * 500)
    told_why(await prune(f"sqlite:///{text}", "--days", "1"), "text.db")
