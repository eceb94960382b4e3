"""Reloading: the service in a process of its own, restarted when one of its files changes."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import FrameType

import structlog
from watchfiles import Change, watch

from cairn import environment

SPARE_SECONDS = 15.0  # for the end of the service, on top of the time for running steps
LOOK_SECONDS = 0.5  # between two checks for a service that has ended by itself

log = structlog.get_logger(__name__)


class Reloading:
    """The service, restarted at each change until a signal stops this process.

    There is one service at a time: the old one drains before the new one starts, and the new one
    takes up the runs that are left. Each has a session of its own: Ctrl-C on the terminal signals
    this process alone, which passes the signal on.
    """

    def __init__(self, options: Sequence[str], unset: Collection[str], drain: float) -> None:
        """Prepare the command; `run` starts the service.

        Args:
            options: the options for `cairn serve`.
            unset: variables to leave out of the environment: the service reads `.env` anew.
            drain: seconds that running steps may take when the service stops.
        """
        # -P: a folder `cairn` in the working folder must not hide this package.
        self._command = [sys.executable, "-P", "-m", "cairn", "serve", *options]
        self._environment = {k: v for k, v in os.environ.items() if k not in unset}
        self._stop_seconds = drain + SPARE_SECONDS
        self._stop = threading.Event()
        self._service: subprocess.Popen[bytes] | None = None

    def run(self, folder: Path) -> None:
        """Serve until a signal, restarting when a `.py` file of the folder or `.env` changes.

        Args:
            folder: the folder of workflows.
        """
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._pass_on)
        self._start()
        for changed in self._changes(folder):
            log.info("reloading", changed=changed)
            self._terminate()
            self._start()
        self._terminate()

    def _pass_on(self, _: int, __: FrameType | None) -> None:
        """Pass a signal on to the service, which drains at the first and ends at the second."""
        self._stop.set()
        if self._service is not None:
            self._service.terminate()

    def _start(self) -> None:
        self._service = subprocess.Popen(
            self._command, env=self._environment, start_new_session=True
        )
        if self._stop.is_set():  # a signal came meanwhile
            self._service.terminate()

    def _terminate(self) -> None:
        """Terminate the service and wait for the end; kill the process if that takes too long."""
        if self._service is None:
            return
        if not self._stop.is_set():
            self._service.terminate()
        try:
            self._service.wait(self._stop_seconds)
        except subprocess.TimeoutExpired:
            self._service.kill()
            self._service.wait()

    def _changes(self, folder: Path) -> Iterator[list[str]]:
        """Yield the names of the changed files at each change, until a signal."""
        workflows, file = folder.resolve(), environment.FILE.resolve()

        def is_watched(_: Change, path: str) -> bool:
            changed = Path(path)
            is_workflow = changed.suffix == ".py" and changed.parent == workflows
            return is_workflow or changed == file

        # Not recursively: the working folder may hold a virtual environment, or be a home.
        changes = watch(
            workflows,
            file.parent,
            watch_filter=is_watched,
            stop_event=self._stop,
            rust_timeout=int(LOOK_SECONDS * 1000),
            yield_on_timeout=True,
            recursive=False,
        )
        for changed in changes:
            if changed:
                yield sorted({Path(path).name for _, path in changed})
            elif self._service is not None and (code := self._service.poll()) is not None:
                self._service = None
                log.error("the service has ended; the next change begins it anew", code=code)
