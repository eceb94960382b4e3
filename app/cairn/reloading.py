"""Reloading: the service in a process of its own, begun anew when what it serves changes."""

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

SPARE_SECONDS = 15.0  # for the service to end in, besides the time that running steps have
LOOK_SECONDS = 0.5  # between two looks at whether the service has ended by itself

log = structlog.get_logger(__name__)


class Reloading:
    """The service, under way again and again until this process is told to stop.

    There is one service at a time: it drains before the next one begins, which goes on with what
    is left. It is in a session of its own, so that Ctrl-C on the terminal does not reach it twice.
    """

    def __init__(self, options: Sequence[str], unset: Collection[str], drain: float) -> None:
        """Prepare the service; `run` begins it.

        Args:
            options: of `cairn serve`.
            unset: variables that the service reads from the file `.env` by itself.
            drain: seconds that its running steps may take when it is told to stop.
        """
        # -P: a folder `cairn` in the working folder is not to be taken for this package.
        self._command = [sys.executable, "-P", "-m", "cairn", "serve", *options]
        self._environment = {k: v for k, v in os.environ.items() if k not in unset}
        self._patience = drain + SPARE_SECONDS
        self._stop = threading.Event()
        self._service: subprocess.Popen[bytes] | None = None

    def run(self, folder: Path) -> None:
        """Serve the folder's workflows, and begin anew when one changes, until told to stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._told)
        self._begin()
        for changed in self._changes(folder):
            log.info("reloading", changed=changed)
            self._end()
            self._begin()
        self._end()

    def _told(self, _: int, __: FrameType | None) -> None:
        """This process was told to stop; told twice, the service ends at once."""
        self._stop.set()
        if self._service is not None:
            self._service.terminate()

    def _begin(self) -> None:
        self._service = subprocess.Popen(
            self._command, env=self._environment, start_new_session=True
        )
        if self._stop.is_set():  # told meanwhile
            self._service.terminate()

    def _end(self) -> None:
        """Have the service drain and end, if it has not."""
        if self._service is None:
            return
        if not self._stop.is_set():
            self._service.terminate()
        try:
            self._service.wait(self._patience)
        except subprocess.TimeoutExpired:
            self._service.kill()
            self._service.wait()

    def _changes(self, folder: Path) -> Iterator[list[str]]:
        """The names of the files that have changed, each time some have."""
        workflows, file = folder.resolve(), environment.FILE.resolve()

        def counts(_: Change, path: str) -> bool:
            found = Path(path)
            return found == file or (found.suffix == ".py" and found.parent == workflows)

        # Not all below: the working folder may hold an environment, or a home.
        changes = watch(
            workflows,
            file.parent,
            watch_filter=counts,
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
