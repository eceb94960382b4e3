"""A small disk of a test's own: to be filled, freed, and made read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """A file system in memory, mounted on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def fill(self) -> None:
        """Leave no byte free."""
        with self._filling.open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                _write_until_full(file.fileno(), size)

    def free(self) -> None:
        """Leave as much free as there was."""
        self._filling.unlink()

    def be_read_only(self) -> None:
        """Let nobody write to it, who has a file open either."""
        # As where the kernel has found the disk to be damaged: a plain remount would be refused
        # as long as a file is open for writing.
        _mount("-o", "remount,ro", str(self.folder))

    def be_writable(self) -> None:
        """Let everybody write to it again."""
        _mount("-o", "remount,rw", str(self.folder))


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Disk]:
    """A disk of that size, until the end; the test is skipped where none may be mounted."""
    folder.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing may be mounted here: {error}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


def _write_until_full(file: int, size: int) -> None:
    try:
        while os.write(file, bytes(size)):
            pass
    except OSError:
        return
