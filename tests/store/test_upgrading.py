"""Upgrades lose no long value, no reference and no unread message, and leave a copy of a file."""

import re
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Barrier, BrokenBarrierError, local
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from cairn.store import migrations
from cairn.store.connecting import checked, connected
from tests.api import gates
from tests.api.asking import Cairn, serving, steps
from tests.api.looking import ask, counts
from tests.store.earlier import fill
from tests.store.starting import start_at_once

REVISION = "0001"
REFERENCE = re.compile(rb'\{"\$blob":"([0-9a-f]{64})"\}')
PAYLOADS = [
    ("contexts", "id", ["state"]),
    ("runs", "id", ["start_event", "stop_event", "base"]),
    ("checkpoints", "run_id", ["input_event", "output_event", "delta", "whole"]),
    ("messages", "run_id", ["event"]),
]


def upgrade(url: str) -> None:
    """Bring the database to the newest revision."""
    engine = connected(checked(url), 2)
    migrations.upgrade(engine)
    engine.dispose()


def referred(url: str) -> set[tuple[str, str]]:
    """Who refers to which blob, by what is written in all the rows."""
    return {
        (letters(owner), digest.decode())
        for table, column, payloads in PAYLOADS
        for owner, *found in ask(url, f"SELECT {column}, {', '.join(payloads)} FROM {table}")
        for payload in found
        for digest in REFERENCE.findall(payload or b"")  # type: ignore[call-overload]
    }


def letters(id_: Any) -> str:
    """An id as the database has it, in hex."""
    return id_.hex() if isinstance(id_, bytes) else str(id_).replace("-", "")


def used(url: str) -> set[tuple[str, str]]:
    """Who refers to which blob, by the table of references."""
    rows = ask(url, "SELECT owner_id, digest FROM blob_refs")
    return {(letters(owner), letters(digest)) for owner, digest in rows}


@pytest.fixture
def names(database_url: str) -> dict[str, Any]:
    gates.forget()
    return fill(database_url, REVISION)


@pytest.fixture
async def cairn(names: dict[str, Any], database_url: str) -> AsyncIterator[Cairn]:
    """The service, on what became of the database."""
    upgrade(database_url)
    async with serving(database_url, drain_seconds=0.1) as cairn:
        yield cairn


def test_every_blob_is_used_by_who_refers_to_it_and_others_are_gone(
    names: dict[str, Any], database_url: str
) -> None:
    ask(
        database_url,
        f"INSERT INTO blobs (digest, content) SELECT '{'ab' * 32}', content FROM blobs LIMIT 1",
    )
    before = referred(database_url)
    owners = {owner for owner, _ in before}
    assert {letters(names[name]) for name in ("hoarded", "hoarded_again", "joked")} <= owners
    upgrade(database_url)
    assert referred(database_url) == used(database_url) == before
    assert blobs_of(database_url) == {digest for _, digest in before}


def test_uses_are_counted_in_more_rows_than_are_read_at_a_time(
    names: dict[str, Any], database_url: str
) -> None:
    many = 2_500
    multiply(database_url, names["hoarded"], many)
    before = referred(database_url)
    assert len(before) > many
    upgrade(database_url)
    assert used(database_url) == before
    assert counts(database_url)["blobs"] == len({digest for _, digest in before})


def multiply(url: str, run: str, many: int) -> None:
    """Give a run more checkpoints, each of which refers to a blob of its own."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        checkpoints, blobs = tables.tables["checkpoints"], tables.tables["blobs"]
        [last] = connection.execute(
            sa.select(checkpoints)
            .where(sa.cast(checkpoints.c.run_id, sa.String).in_([run, letters(run)]))
            .order_by(checkpoints.c.seq.desc())
            .limit(1)
        ).mappings()
        rows = [dict(last) for _ in range(many)]
        digests = [sha256(str(number).encode()).hexdigest() for number in range(many)]
        for number, (row, digest) in enumerate(zip(rows, digests, strict=True), last["seq"] + 1):
            id_ = UUID(int=number)
            row["id"] = id_ if isinstance(last["id"], UUID) else id_.hex
            row["seq"] = number
            row["input_event"] = f'{{"$blob":"{digest}"}}'.encode()
        contents = [{"digest": digest, "content": b"null"} for digest in digests]
        connection.execute(blobs.insert(), contents)
        connection.execute(checkpoints.insert(), rows)
    engine.dispose()


async def test_a_rerun_that_was_accepted_and_had_not_begun_has_its_base(
    names: dict[str, Any], database_url: str
) -> None:
    run = names["hoarded_again"]
    its = f"= '{run if database_url.startswith('postgresql') else letters(run)}'"
    ask(database_url, f"DELETE FROM checkpoints WHERE run_id {its}")
    ask(
        database_url,
        "UPDATE runs SET status = 'queued', stop_event = NULL, started_at = NULL, "
        f"finished_at = NULL WHERE id {its}",
    )
    before = referred(database_url)
    assert letters(run) in {owner for owner, _ in before}, "its base alone refers to the value"
    upgrade(database_url)
    assert used(database_url) == before
    async with serving(database_url, drain_seconds=0.1) as cairn:
        assert (await cairn.until({"id": run}, "completed"))["result"] == 5_000


async def test_a_long_value_is_kept_as_long_as_anybody_refers_to_it(
    cairn: Cairn, names: dict[str, Any], database_url: str
) -> None:
    runs = [names["hoarded"], names["hoarded_again"]]
    for id_ in runs:
        for checkpoint in await cairn.checkpoints({"id": id_}):
            whole = await cairn.get(f"/checkpoints/{checkpoint['id']}")
            is_kept = checkpoint["last_completed_step"] is not None
            assert ("h" * 5_000 in str(whole["ctx_state"]["globals"])) is is_kept
    context = (await cairn.get(f"/runs/{runs[0]}"))["context_id"]
    [digest] = {digest for owner, digest in used(database_url) if owner in map(letters, runs)}
    for id_ in runs:
        assert (await cairn.http.delete(f"/runs/{id_}")).status_code == 204
    assert {owner for owner, it in used(database_url) if it == digest} >= {letters(context)}
    assert digest in blobs_of(database_url), "the context has it"


def blobs_of(url: str) -> set[str]:
    """The blobs that there are."""
    return {letters(digest) for (digest,) in ask(url, "SELECT digest FROM blobs")}


@pytest.mark.parametrize("name", ["hoarded", "hoarded_again"])
async def test_a_rerun_has_the_long_value_of_the_old_checkpoint(
    cairn: Cairn, names: dict[str, Any], name: str
) -> None:
    for checkpoint in (await cairn.checkpoints({"id": names[name]}))[:-1]:
        rerun = await cairn.until(await cairn.rerun(checkpoint), "completed")
        assert rerun["result"] == 5_000, checkpoint


async def test_a_queued_run_begins_once_and_then_hears_what_was_said_to_it(
    cairn: Cairn, names: dict[str, Any]
) -> None:
    queued = {"id": names["behind"]}
    assert (await cairn.get(f"/runs/{queued['id']}"))["status"] == "queued"
    await cairn.tell({"id": names["before"]}, "Verdict", approved=True, by="Ann")
    before = await cairn.until({"id": names["before"]}, "completed")
    assert before["result"] == ["Ann"]
    assert (await cairn.until(queued, "completed"))["result"] == ["Ann", "Dan"]
    assert steps(await cairn.checkpoints(queued)) == ["ask", "count"]


def old_file(folder: Path) -> Path:
    """A file of SQLite's as the earlier revision left it."""
    file = folder / "cairn.db"
    fill(f"sqlite:///{file}", REVISION)
    return file


def revision_of(file: Path) -> object:
    return ask(f"sqlite:///{file}", "SELECT version_num FROM alembic_version")[0][0]


async def test_the_copy_beside_a_file_is_whole_and_can_be_gone_back_to(tmp_path: Path) -> None:
    file = old_file(tmp_path)
    before = dump(file)
    async with serving(f"sqlite:///{file}", drain_seconds=0.1):
        pass
    copy = tmp_path / f"cairn.db.before-{migrations.newest()}"
    assert dump(copy) == before
    assert ask(f"sqlite:///{copy}", "PRAGMA integrity_check") == [("ok",)]
    gone_back = tmp_path / "back.db"
    shutil.copy(copy, gone_back)
    async with serving(f"sqlite:///{gone_back}", drain_seconds=0.1) as cairn:
        assert len((await cairn.get("/runs", limit=100))["items"]) == 18


def dump(file: Path) -> list[str]:
    """All there is in the file, as SQL."""
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_the_copy_stays_what_it_was_where_two_services_start_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = old_file(tmp_path)
    both, here = Barrier(2, timeout=2), local()
    found = migrations.complaint

    def find_together(engine: sa.Engine) -> str | None:
        wrong = found(engine)
        if not hasattr(here, "waited"):
            here.waited = True
            with suppress(BrokenBarrierError):  # where the other is not let in meanwhile
                both.wait()  # both have found it old before either upgrades it
        return wrong

    monkeypatch.setattr(migrations, "complaint", find_together)
    assert not start_at_once(f"sqlite:///{file}", 2)
    assert revision_of(file) == migrations.newest()
    assert revision_of(tmp_path / f"cairn.db.before-{migrations.newest()}") == REVISION
