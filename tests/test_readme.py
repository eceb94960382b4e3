"""README: its curl lines can be pasted, its sample of the demo is true, and its links lead on."""

import doctest
import json
import os
import re
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.command import BOUND, CAIRN, ROOT, cairn, environment
from tests.scripted_model import Scripted
from tests.test_cli import free_port

TITLE = "## The notebook in five curl lines"


class Pasted(NamedTuple):
    """What came of lines that were pasted into a shell."""

    code: int
    told: str
    logged: str


def pasted(lines: str, kept: Path, working_folder: Path = ROOT) -> Pasted:
    """Execute the lines in a shell that stops at the first failure, on a port that is free.

    Args:
        kept: the folder for the output and for the database.
    """
    port = str(free_port())
    settings = {
        "CAIRN_PORT": port,
        "CAIRN_DATABASE_URL": f"sqlite:///{kept / 'cairn.db'}",
        "PATH": f"{CAIRN.parent}{os.pathsep}{os.environ['PATH']}",
    }
    with (kept / "output").open("w") as output, (kept / "log").open("w") as log:
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", lines.replace("8000", port)],
            cwd=working_folder,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=log,
            start_new_session=True,  # the service goes on in the background, and is ended with it
        )
        try:
            code = shell.wait(2 * BOUND)
        finally:
            with suppress(ProcessLookupError):  # nothing was left in the background
                os.killpg(shell.pid, signal.SIGTERM)
    told, logged = (kept / "output").read_text(), (kept / "log").read_text()
    print(told, logged)
    return Pasted(code, told, logged)


def is_like(told: str, shown: str) -> bool:
    """Whether an output is what a page shows, where `...` stands for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(shown, told, flags)


def block() -> str:
    """The lines."""
    found = re.search(rf"{TITLE}\n.*?```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def objects(text: str) -> list[Any]:
    """The JSON objects in a text that has other things between them."""
    found, decoder = [], json.JSONDecoder()
    while (at := text.find('{"')) >= 0:
        value, end = decoder.raw_decode(text[at:])
        found.append(value)
        text = text[at + end :]
    return found


def test_the_lines_can_be_pasted(
    tmp_path: Path, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # of the make that runs the tests
        monkeypatch.delenv(name, raising=False)
    done = pasted(block(), tmp_path)
    assert done.code == 0
    assert "HTTP Request" not in done.logged, "what is said to a model's server is not logged"
    ready, run, checkpoints, rerun = objects(done.told)
    assert ready["status"] == "ok"
    assert (run["status"], rerun["status"]) == ("completed", "completed")
    assert [found["run_id"] for found in checkpoints["items"]] == [run["id"]]
    assert rerun["parent_run_id"] == run["id"]
    assert rerun["checkpoint_count"] == 1


def test_the_links_lead_to_files() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_sample_of_the_demo_is_what_the_demo_says(scripted: Scripted) -> None:
    readme = (ROOT / "README.md").read_text()
    sample = readme.partition("$ make demo\n")[2].partition("\n\n$ make test\n")[0]
    done = cairn("demo")
    assert done.returncode == 0
    assert is_like(done.stdout, sample), done.stdout
