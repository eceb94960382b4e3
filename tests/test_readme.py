"""README's lines of curl, executed as they stand."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.command import BOUND, ROOT, environment
from tests.scripted_model import Scripted
from tests.test_cli import free_port

TITLE = "## The notebook in five curl lines"


def block() -> str:
    """The lines, on a port that is free."""
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
    port = str(free_port())
    settings = {"CAIRN_PORT": port, "CAIRN_DATABASE_URL": f"sqlite:///{tmp_path / 'cairn.db'}"}
    with (tmp_path / "output").open("w") as output, (tmp_path / "log").open("w") as log:
        shell = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", block().replace("8000", port)],
            cwd=ROOT,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=log,
            start_new_session=True,  # the service goes on in the background, and is ended with it
        )
        try:
            code = shell.wait(2 * BOUND)
        finally:
            os.killpg(shell.pid, signal.SIGTERM)
    told = (tmp_path / "output").read_text()
    logged = (tmp_path / "log").read_text()
    print(told, logged)
    assert code == 0
    assert "HTTP Request" not in logged, "what is said to a model's server is not logged"
    ready, run, checkpoints, rerun = objects(told)
    assert ready["status"] == "ok"
    assert (run["status"], rerun["status"]) == ("completed", "completed")
    assert [found["run_id"] for found in checkpoints["items"]] == [run["id"]]
    assert rerun["parent_run_id"] == run["id"]
    assert rerun["checkpoint_count"] == 1
