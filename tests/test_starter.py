"""`cairn init`: a folder to begin with."""

import re
from pathlib import Path

import pytest

from cairn.settings import Settings, variable
from tests.command import Command, refused


@pytest.fixture
def folder(here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    """The files in it and below."""
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_a_folder_is_made_in_which_a_workflow_runs(
    here: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = here("init", "my flows/first")
    assert (done.returncode, done.stderr) == (0, "")
    assert "cd 'my flows/first' && cairn serve" in done.stdout
    made = folder / "my flows" / "first"
    assert files(made) == {".env.example", "README.md", "workflows/words.py"}
    monkeypatch.chdir(made)
    run = here("run", "words", "--input", '{"topic": "rose"}')
    assert run.returncode == 0
    assert "rose', 3" in run.stdout.splitlines()[-1]
    readme = (made / "README.md").read_text()
    assert len([line for line in readme.splitlines() if line.strip()]) <= 12
    for word in ("cairn run", "cairn serve", "curl", "checkpoints", "rerun"):
        assert word in readme


def test_the_working_folder_is_taken_where_none_is_named(here: Command, folder: Path) -> None:
    (folder / "mine.txt").touch()
    assert here("init").returncode == 0
    assert files(folder) == {".env.example", "README.md", "workflows/words.py", "mine.txt"}


def test_the_example_of_settings_names_all_and_changes_none(here: Command, folder: Path) -> None:
    here("init")
    before = here("config").stdout
    example = (folder / ".env.example").read_text()
    for field in Settings.model_fields:
        assert f"\n#{variable(field)}=" in example
    (folder / ".env").write_text(example)
    assert here("config").stdout == before
    (folder / ".env").write_text(re.sub(r"(?m)^#(?=CAIRN_(PORT|LOG_LEVEL)=)", "", example))
    assert [line.rpartition("# ")[2] for line in here("config").stdout.splitlines()].count(
        ".env"
    ) == 2


@pytest.mark.parametrize("name", ["README.md", ".env.example", "workflows/words.py"])
def test_nothing_is_overwritten(here: Command, folder: Path, name: str) -> None:
    file = folder / "there" / name
    file.parent.mkdir(parents=True)
    file.write_text("mine")
    refused(here("init", "there"), str(Path("there") / name))
    assert files(folder) == {f"there/{name}"}
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(here: Command, folder: Path) -> None:
    (folder / "file").touch()
    refused(here("init", "file/below"), "file/below")
