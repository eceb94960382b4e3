"""A full or a read-only disk: said clearly, nothing lost, and all goes on once it is mended."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.crash.checks import check_all, more_than_once
from tests.crash.conftest import Start
from tests.crash.disk import Disk, mounted
from tests.crash.load import Load
from tests.crash.orders import Order
from tests.crash.postgresql import running
from tests.crash.service import BOUND, Service, until
from tests.databases import outside

pytestmark = pytest.mark.crash

CUSTOMERS = 8

BAD_SECONDS = 1.5
"""For how long it is so, at least: runs try again and again."""

A_RUN = {"workflow": "chain", "start_event": {"key": "refused"}}

REFUSED = 2
"""The exit code of a command that says what is wrong."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A small disk, with nothing on it."""
    with mounted(tmp_path / "disk", megabytes=16) as disk:
        yield disk


async def test_a_full_disk_is_said_and_all_completes_once_there_is_room(
    serve_at: Start, disk: Disk
) -> None:
    await _survive(serve_at(f"sqlite:///{disk.folder}/cairn.db"), disk, "full", disk.free)


async def test_a_service_that_is_killed_on_a_full_disk_goes_on_once_there_is_room(
    serve_at: Start, disk: Disk
) -> None:
    service = serve_at(f"sqlite:///{disk.folder}/cairn.db")
    async with Load([service.url], patient=True) as load:
        await service.start()
        async with load.busy(CUSTOMERS, Random()):
            await load.more(CUSTOMERS)
            disk.fill()
            await _refuses(service, "full")
            service.kill()
            disk.free()
            await service.start()
            await load.more(CUSTOMERS)
        await check_all(load, service.trace.marks())


async def test_a_full_disk_of_the_database_server_is_waited_for(serve_at: Start) -> None:
    with (
        outside() as folder,
        mounted(folder.with_name("disk"), megabytes=200) as disk,
        running(disk.folder / "postgresql") as server,
    ):

        def mend() -> None:
            disk.free()
            server.start()  # it ends where it has no room for its own log

        await _survive(serve_at(server.url), disk, "database", mend)


async def test_files_that_become_read_only_are_said_and_all_completes_once_they_can_be_written(
    serve_at: Start, tmp_path: Path
) -> None:
    file = tmp_path / "cairn.db"
    service = serve_at(f"sqlite:///{file}")
    async with Load([service.url], patient=True) as load:
        await service.start()
        async with load.busy(CUSTOMERS, Random()):
            await load.more(CUSTOMERS)
            with _immutable([file, file.with_name("cairn.db-wal")]):
                await _refuses(service, "database")
                await asyncio.sleep(BAD_SECONDS)
                assert service.is_alive
            await service.ready()
            await load.more(CUSTOMERS)
        await check_all(load, service.trace.marks())
    assert more_than_once(service.trace.marks()) == {}, "no step is executed again"


async def test_a_service_does_not_start_on_what_it_cannot_write(
    serve_at: Start, disk: Disk
) -> None:
    """And loses nothing by having tried."""
    file = disk.folder / "cairn.db"
    service = serve_at(f"sqlite:///{file}")
    empty = serve_at(f"sqlite:///{disk.folder}/another.db")
    order = Order("chain-0", "chain", 9, pause=0.2)
    async with Load([service.url]) as load:
        await service.start()
        await load.order(order)
        await service.reaches(("chain-0", "hop", 2))
        service.kill()

        disk.be_read_only()
        await _does_not_start(service, "read-only")
        await _does_not_start(empty, "permissions")
        disk.be_writable()
        await service.start()
        assert (await load.ended(order))["status"] == "completed"
        await check_all(load, service.trace.marks())


async def test_a_service_does_not_start_on_a_file_that_is_read_only(
    serve_at: Start, tmp_path: Path
) -> None:
    file = tmp_path / "cairn.db"
    service = serve_at(f"sqlite:///{file}")
    await service.start()
    service.kill()
    with _immutable([file]):
        await _does_not_start(service, "read-only")
    await service.start()


async def test_a_service_does_not_start_on_a_full_disk(serve_at: Start, disk: Disk) -> None:
    service = serve_at(f"sqlite:///{disk.folder}/cairn.db")
    disk.fill()
    await _does_not_start(service, "full")
    disk.free()
    await service.start()


# What these tests share


async def _survive(service: Service, disk: Disk, word: str, mend: Callable[[], None]) -> None:
    """The disk is full twice, which is said with this word, and all completes once it is mended."""
    async with Load([service.url], patient=True) as load:
        await service.start()
        async with load.busy(CUSTOMERS, Random()):
            for _ in range(2):
                await load.more(CUSTOMERS)
                disk.fill()
                await _refuses(service, word)
                await asyncio.sleep(BAD_SECONDS)
                assert service.is_alive
                mend()
                await service.ready()
            await load.more(CUSTOMERS)
        await check_all(load, service.trace.marks())
    assert more_than_once(service.trace.marks()) == {}, "no step is executed again"
    _said(service, word)


async def _refuses(service: Service, word: str) -> None:
    """New runs are refused, with a sentence that has this word; it is not ready, and it lives."""
    async with httpx.AsyncClient(base_url=service.url, timeout=BOUND) as client:
        end = time.monotonic() + BOUND
        while (ready := await client.get("/health/ready")).status_code == 200:
            assert time.monotonic() < end, "it is still ready"
            await asyncio.sleep(0.02)
        posted = await client.post("/runs", json=A_RUN)
        assert (await client.get("/health/live")).status_code == 200
    for response in (ready, posted):
        assert response.status_code == 503, response.text
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) >= 1
        assert word in response.json()["detail"]


async def _does_not_start(service: Service, word: str) -> None:
    """It ends, having said why in one sentence."""
    said = len(service.output)
    service.spawn()
    await until(lambda: not service.is_alive, "it ends")
    output = service.output[said:]
    assert service.exit_code == REFUSED, output
    assert word in " ".join(output.split()), output
    assert "Traceback" not in output


def _said(service: Service, word: str) -> None:
    loud = [line for line in service.output.splitlines() if "[warning" in line or "[error" in line]
    assert any(word in line for line in loud), "the log says it"
    assert "Traceback" not in service.output


@contextmanager
def _immutable(files: Sequence[Path]) -> Iterator[None]:
    """Nobody can write to the files meanwhile, who has them open either, and root neither."""
    probe = files[0].with_name("probe")
    try:
        with probe.open("wb", buffering=0) as file:
            _chattr("+i", [probe])
            file.write(b"written")
        pytest.skip("files cannot be made read-only for who has them open on this file system")
    except FileNotFoundError:
        pytest.skip("there is no chattr here")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"files cannot be made read-only for everybody here: {error.stderr!r}")
    except PermissionError:
        pass  # as it should be
    finally:
        subprocess.run(["chattr", "-i", str(probe)], check=False, capture_output=True)
    _chattr("+i", files)
    try:
        yield
    finally:
        _chattr("-i", files)


def _chattr(change: str, files: Sequence[Path]) -> None:
    subprocess.run(["chattr", change, *map(str, files)], check=True, capture_output=True)
