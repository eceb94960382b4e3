"""`cairn db`: the tables of a database, made, upgraded and looked at."""

import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from typer.testing import CliRunner, Result

from cairn.cli import cli
from cairn.store import migrations
from tests.api.looking import ask

CAIRN = Path(sys.executable).with_name("cairn")
NEWEST = migrations.newest()


def db(what: str, url: str) -> Result:
    """What `cairn db` says."""
    return CliRunner().invoke(cli, ["db", what, "--database-url", url])


def make_old(url: str) -> None:
    """Bring an empty database to the first revision."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()


def make_new(url: str) -> None:
    """Have it upgraded by a Cairn that is not there yet."""
    assert db("upgrade", url).exit_code == 0
    ask(url, "UPDATE alembic_version SET version_num = 'ffff'")


def test_an_empty_database_gets_its_tables(database_url: str) -> None:
    assert db("current", database_url).output.split() == [
        *("database:", "no", "tables"),
        *("cairn:", NEWEST),
    ]
    told = db("check", database_url)
    assert (told.exit_code, "cairn db upgrade" in told.output) == (1, True)
    assert db("upgrade", database_url).exit_code == 0
    assert db("current", database_url).output.split() == ["database:", NEWEST, "cairn:", NEWEST]
    told = db("check", database_url)
    assert (told.exit_code, told.output) == (0, "")
    assert db("upgrade", database_url).exit_code == 0, "there is nothing left to do"


def test_an_old_database_is_upgraded_when_told(database_url: str) -> None:
    make_old(database_url)
    told = db("check", database_url)
    assert told.exit_code == 1
    assert "0001" in told.output
    assert "cairn db upgrade" in told.output
    told = db("upgrade", database_url)
    assert (told.exit_code, f"0001 -> {NEWEST}" in told.output) == (0, True)
    assert db("check", database_url).exit_code == 0


def test_a_new_database_is_left_alone(database_url: str) -> None:
    make_new(database_url)
    for what, code in (("check", 1), ("upgrade", 2)):
        told = db(what, database_url)
        assert told.exit_code == code
        assert "ffff" in told.output
        assert "newer" in told.output
    assert ask(database_url, "SELECT version_num FROM alembic_version") == [("ffff",)]


def test_many_may_make_the_tables_of_an_empty_database_at_once(database_url: str) -> None:
    upgrading = [str(CAIRN), "db", "upgrade", "--database-url", database_url]
    processes = [
        subprocess.Popen(upgrading, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    for process in processes:
        told, _ = process.communicate(timeout=60)
        assert process.returncode == 0, told
    assert db("check", database_url).exit_code == 0


@pytest.mark.parametrize("what", ["current", "check", "upgrade"])
def test_what_is_no_database_is_told(what: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be taken for one" * 9)
    for url, why in (
        (f"sqlite:///{tmp_path}/notes.txt", "not a database"),
        (f"sqlite:///{tmp_path}/no/cairn.db", "no folder"),
        ("mysql://x/y", "mysql"),
        ("postgresql://nobody@127.0.0.1:1/x", "cannot be used"),
    ):
        told = db(what, url)
        assert told.exit_code == 2, told.output
        assert why in told.output
        assert "Traceback" not in told.output


def backup(url: str, file: Path) -> Result:
    """What `cairn db backup` says."""
    return CliRunner().invoke(cli, ["db", "backup", str(file), "--database-url", url])


def test_a_copy_is_a_database_of_its_own(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/cairn.db"
    db("upgrade", url)
    told = backup(url, tmp_path / "copy.db")
    assert told.exit_code == 0, told.output
    assert "copy.db" in told.output
    (tmp_path / "cairn.db").unlink()
    assert db("check", f"sqlite:///{tmp_path}/copy.db").exit_code == 0
    assert not (tmp_path / "copy.db.part").exists()


@pytest.mark.parametrize(
    ("database", "file", "why"),
    [
        ("cairn.db", "cairn.db", "there already"),
        ("cairn.db", "notes.txt", "there already"),
        ("cairn.db", "no/copy.db", "cannot be written"),
        ("cairn.db", "cut_short.db", "cut_short.db.part"),
        ("missing.db", "copy.db", "no database"),
        ("notes.txt", "copy.db", "not a database"),
        ("damaged.db", "copy.db", "damaged"),
    ],
)
def test_a_copy_that_cannot_be_made_is_refused_and_leaves_all_as_it_is(
    tmp_path: Path, database: str, file: str, why: str
) -> None:
    db("upgrade", f"sqlite:///{tmp_path}/cairn.db")
    sound = (tmp_path / "cairn.db").read_bytes()
    (tmp_path / "damaged.db").write_bytes(sound[:8192] + b"\xff" * 4096 + sound[12288:])
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be taken for one" * 9)
    (tmp_path / "cut_short.db.part").touch()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    told = backup(f"sqlite:///{tmp_path}/{database}", tmp_path / file)
    assert told.exit_code == 2, told.output
    assert why in told.output
    assert "Traceback" not in told.output
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_of_postgresql_the_line_to_type_is_told_without_the_password(tmp_path: Path) -> None:
    told = backup("postgresql://me:secret@db.example/cairn", tmp_path / "a copy")
    assert told.exit_code == 2
    assert f"pg_dump --format=custom '--file={tmp_path}/a copy'" in told.output
    assert "postgresql://me@db.example/cairn" in told.output
    assert "secret" not in told.output
