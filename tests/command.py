"""The command line, as tests ask it: in a process of its own, or in this one."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cairn.cli import main

ROOT = Path(__file__).parent.parent
CAIRN = Path(sys.executable).with_name("cairn")
BOUND = 30.0


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with only these settings, and a terminal that wraps nothing."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CAIRN_")}
    return {**kept, "COLUMNS": "1000", "NO_COLOR": "1", **settings}


def cairn(
    *arguments: str, stdin: str = "", cwd: Path = ROOT, **settings: str
) -> subprocess.CompletedProcess[str]:
    """The command, run to its end."""
    return subprocess.run(
        [CAIRN, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment(**settings),
        timeout=BOUND,
        check=False,
    )


Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command, run to its end in this process: it takes a second to start another."""
    for name in list(os.environ):
        if name.startswith("CAIRN_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # the command's is put back

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["cairn", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        code = left.value.code or 0
        assert isinstance(code, int)
        told = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, code, told.out, told.err)

    before = dict(os.environ)
    yield run
    os.environ.clear()  # the command adds what it reads from a file
    os.environ.update(before)


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """The command refused with these words for a person, and said nothing else."""
    assert done.returncode > 0
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    for word in words:
        assert word.lower() in done.stderr.lower()
