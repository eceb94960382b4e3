"""A process that has imported all of Cairn, and from which the processes of services are forked.

Most of a service's start is importing. Forked from here, it is a process of its own like any other,
with the command line it is given, and begins where those imports end. It runs as a program, which
is asked by lines of JSON; `Nursery` is who asks.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

POLL_SECONDS = 0.005


class Nursery:
    """The process, asked from tests."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def bear(
        self, arguments: Sequence[str], environment: Mapping[str, str], cwd: Path, output: Path
    ) -> "Born":
        """Begin a process, with this command line; what it says is appended to the file."""
        pid = self._ask(
            do="bear",
            arguments=list(arguments),
            environment=dict(environment),
            cwd=str(cwd),
            output=str(output),
        )
        return Born(pid, self)

    def exit_code(self, pid: int) -> int | None:
        """How the process ended, if it has; asked once more, it knows nothing of it."""
        code: int | None = self._ask(do="look", pid=pid)
        return code

    def _ask(self, **request: Any) -> Any:
        if self._process is None:
            # -P: modules of this folder are not to be found by their bare names
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            with self._process:  # it ends when nobody can ask it any more
                pass


@dataclass(slots=True)
class Born:
    """A process that was begun there, handled as one of `subprocess`."""

    pid: int
    nursery: Nursery
    returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, if it has."""
        if self.returncode is None:
            self.returncode = self.nursery.exit_code(self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """How it ended, once it has; `subprocess.TimeoutExpired` if that takes too long."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("cairn", timeout)
            time.sleep(POLL_SECONDS)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it is there."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(9)


def _answer_all() -> None:
    with os.fdopen(os.dup(0)) as asked, os.fdopen(os.dup(1), "w") as answers:
        for line in iter(asked.readline, ""):
            request = json.loads(line)
            if request["do"] == "look":
                answer = _exit_code(request["pid"])
            else:
                answer = os.fork()
                if answer == 0:
                    _live(request, [asked.fileno(), answers.fileno()])
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _exit_code(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return None if found == 0 else os.waitstatus_to_exitcode(status)


def _live(request: dict[str, Any], foreign: Sequence[int]) -> None:
    """Be the command, as if it had just been started."""
    from cairn.cli import main

    output = os.open(request["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    for source, target in ((output, 1), (output, 2), *((nothing, one) for one in (0, *foreign))):
        os.dup2(source, target)
    os.close(output)
    os.close(nothing)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    sys.argv = ["cairn", *request["arguments"]]
    main()  # which ends this process


if __name__ == "__main__":
    # What a service imports by and by.
    import httptools  # noqa: F401
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg
    import sqlalchemy.dialects.sqlite  # noqa: F401
    import uvloop  # noqa: F401

    import cairn.cli
    import cairn.main  # noqa: F401

    _answer_all()
