"""Settings from the environment and the file `.env`, and `cairn config`, which shows them."""

import os
from pathlib import Path

import pytest

from cairn.configuration import lines
from cairn.settings import Settings, variable
from tests.command import ROOT, Command, refused


@pytest.fixture
def folder(here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configured(here: Command, *options: str) -> dict[str, tuple[str, str]]:
    """Each setting's value and where it comes from, as `cairn config` says."""
    done = here("config", *options)
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line.rpartition("  # ") for line in done.stdout.splitlines()]
    pairs = [(left.removeprefix("#").partition("="), origin) for left, _, origin in lines]
    return {name: (value, origin) for (name, _, value), origin in pairs}


def test_every_setting_is_shown_with_its_default(here: Command, folder: Path) -> None:
    shown = configured(here)
    assert list(shown) == [variable(field) for field in Settings.model_fields]
    assert shown["CAIRN_PORT"] == ("8000", "default")
    assert shown["CAIRN_RETAIN_STATUSES"] == ('["cancelled","completed","failed"]', "default")
    assert {origin for _, origin in shown.values()} == {"default"}


def test_the_page_on_deploying_names_every_setting() -> None:
    page = (ROOT / "docs" / "deploying.md").read_text()
    assert [f for f in Settings.model_fields if f"| `{variable(f)}` |" not in page] == []


def test_where_a_setting_comes_from_is_shown(
    here: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".env").write_text(
        "# mine\nCAIRN_HOST=::1\nCAIRN_PORT=1\nexport CAIRN_WORKFLOWS='my flows'\n\nOTHER=x\n"
    )
    monkeypatch.setenv("CAIRN_PORT", "2")
    shown = configured(here, "--workflows", "given")
    assert shown["CAIRN_HOST"] == ("::1", ".env")
    assert shown["CAIRN_PORT"] == ("2", "environment")
    assert shown["CAIRN_WORKFLOWS"] == ("given", "option")
    assert os.environ["OTHER"] == "x", "the rest of the file is for the workflows"


def test_what_is_shown_can_be_put_into_the_file(here: Command, folder: Path) -> None:
    before = configured(here)
    (folder / ".env").write_text(here("config").stdout)
    after = configured(here)
    assert {name: value for name, (value, _) in after.items()} == {
        name: value for name, (value, _) in before.items()
    }
    assert after["CAIRN_PORT"] == ("8000", ".env")
    assert after["CAIRN_RETAIN_DAYS"] == ("", "default")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cr:t@host/name",
        "postgresql://me:s3@cr:t@host/name",
        "postgresql://:s3cr:t@host/name",
        "postgresql://host/name?user=me&password=s3cr:t&sslmode=require",
    ],
)
def test_a_password_is_masked(
    here: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("CAIRN_DATABASE_URL", url)
    shown, _ = configured(here)["CAIRN_DATABASE_URL"]
    assert "***" in shown
    assert "cr:t" not in shown
    assert "host/name" in shown


def test_what_is_named_like_a_secret_is_masked_unless_it_is_a_number() -> None:
    class More(Settings):
        console_key: str = "secret"
        tokens: int = 5

    shown = {line.partition("=")[0]: line for line in lines(More.model_construct(), {}, ())}
    assert shown["CAIRN_CONSOLE_KEY"] == "CAIRN_CONSOLE_KEY=***  # default"
    assert shown["CAIRN_TOKENS"] == "CAIRN_TOKENS=5  # default"


@pytest.mark.parametrize("command", [["serve"], ["serve", "--reload"], ["run", "joke"]])
def test_the_file_is_read_by_every_command(here: Command, folder: Path, command: list[str]) -> None:
    (folder / ".env").write_text("CAIRN_PORT=0\nCAIRN_WORKFLOWS=/no/such/folder\n")
    refused(here(*command), "/no/such/folder")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"CAIRN_HOST=a\nCAIRN_PORT='8000\n", [".env", "line 2", "NAME=value"]),
        (b"CAIRN_HOST=\xff\n", [".env", "utf-8"]),
        (b"CAIRN_PROT=8000\n", ["CAIRN_PROT", "CAIRN_PORT", ".env"]),
        (b"CAIRN_PORT=http\n", ["CAIRN_PORT", "integer"]),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    here: Command, folder: Path, text: bytes, words: list[str]
) -> None:
    (folder / ".env").write_bytes(text)
    done = here("config")
    refused(done, *words)
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("CAIRN_DATABSE_URL", "CAIRN_DATABASE_URL"),
        ("cairn_prot", "CAIRN_PORT"),
        ("CAIRN_ELSEWHERE_ALTOGETHER", "there are CAIRN_DATABASE_URL, "),
    ],
)
@pytest.mark.parametrize("command", ["serve", "config", "prune"])
def test_a_variable_that_is_no_setting_is_refused_with_the_near_name(
    here: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, near: str, command: str
) -> None:
    monkeypatch.setenv(name, "x")
    done = here(command)
    refused(done, name, near)
    assert done.returncode == 2
    assert list(folder.iterdir()) == []


def test_words_are_taken_in_capitals_too(
    here: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIRN_LOG_LEVEL", "INFO")
    monkeypatch.setenv("CAIRN_LOG_FORMAT", "Json")
    shown = configured(here)
    assert shown["CAIRN_LOG_LEVEL"] == ("info", "environment")
    assert shown["CAIRN_LOG_FORMAT"] == ("json", "environment")
