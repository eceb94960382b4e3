"""Where the durable benchmarks take place: fresh databases on a real disk, and who is there."""

import os
import platform
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

from cairn import __version__
from tests import databases
from tests.benchmarks.durable.contestants import CONTESTANTS, PEERS, Contestant, Database
from tests.benchmarks.environments import installed, python_of


@dataclass(frozen=True, slots=True)
class Stage:
    """What is there for all.

    Attributes:
        folder: where the databases have their files.
        server: the PostgreSQL server's URL.
        pythons: by contestant, the interpreter that has its packages; `None` if there is none.
    """

    folder: Path
    server: str
    pythons: dict[str, Path | None]

    @contextmanager
    def database(self, kind: Database) -> Iterator[str]:
        """The URL of an empty database, gone in the end."""
        if kind == "postgresql":
            with databases.fresh(self.server) as url:
                yield url.replace("+psycopg", "", 1)
            return
        folder = self.folder / uuid4().hex
        folder.mkdir()
        try:
            yield f"sqlite:///{folder / 'bench.db'}"
        finally:
            shutil.rmtree(folder)

    def size(self, url: str) -> int:
        """How many bytes the tables and indexes of a database take."""
        if url.startswith("sqlite"):
            with _sqlite(url) as connection:
                sizes = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count,"
                sizes += " pragma_freelist_count, pragma_page_size"
                return int(connection.execute(sizes).fetchone()[0])
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "SELECT coalesce(sum(pg_total_relation_size(relid)), 0) FROM pg_stat_user_tables"
            ).fetchone()
            assert row is not None
            return int(row[0])

    def checkpoints(self, url: str) -> int:
        """How many checkpoints a database of Cairn's has."""
        query = "SELECT count(*) FROM checkpoints"
        if url.startswith("sqlite"):
            with _sqlite(url) as connection:
                return int(connection.execute(query).fetchone()[0])
        with psycopg.connect(url) as connection:
            row = connection.execute(query).fetchone()
            assert row is not None
            return int(row[0])

    def described(self) -> dict[str, str]:
        """The machine, and the versions of everything."""
        with psycopg.connect(self.server) as connection:
            version = connection.info.server_version
        return {
            "cairn": __version__,
            **{name: version for c in PEERS for name, version in self._versions(c).items()},
            "SQLite": sqlite3.sqlite_version,
            "PostgreSQL": f"{version // 10_000}.{version % 10_000}",
            "Python": platform.python_version(),
            "cores": str(os.cpu_count()),
            "processor": _processor(),
            "file system": file_system(self.folder),
            "load before": f"{os.getloadavg()[0]:.1f}",
        }

    def _versions(self, contestant: Contestant) -> dict[str, str]:
        python = self.pythons.get(contestant.name)
        return installed(python, contestant.shown) if python is not None else {}


@contextmanager
def stage(contestants: Sequence[Contestant] = CONTESTANTS) -> Iterator[Stage]:
    """Everything installed, and the server started; all files are removed in the end."""
    pythons = {c.name: python_of(*c.requirements) for c in contestants}
    with (
        tempfile.TemporaryDirectory(prefix="cairn-bench-", dir=_real_disk()) as folder,
        databases.started(Path(folder) / "postgresql") as server,
    ):
        yield Stage(Path(folder), server, pythons)


def _sqlite(url: str) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(url.removeprefix("sqlite:///")))


def file_system(path: Path) -> str:
    """The type of the file system that the path is on."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    fields = [line.split() for line in mounts.read_text().splitlines()]
    under = [(where, kind) for _, where, kind, *_ in fields if path.is_relative_to(where)]
    return max(under, key=lambda mount: len(mount[0]), default=("", "unknown"))[1]


def _real_disk() -> Path:
    """The folder for temporary files, unless that is in memory, where a commit costs nothing."""
    usual = Path(tempfile.gettempdir())
    lasting = Path("/var/tmp")
    return lasting if file_system(usual) == "tmpfs" and lasting.is_dir() else usual


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    lines = cpus.read_text().splitlines() if cpus.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
