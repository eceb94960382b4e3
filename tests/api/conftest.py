"""A service of its own for every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from tests.api import gates
from tests.api.asking import Cairn, serving


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """As the service logs: pretty tracebacks take seconds where values are large."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


@pytest.fixture(autouse=True)
def closed_gates() -> None:
    gates.forget()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file for a database that is not there yet."""
    return tmp_path / "cairn.db"


@pytest.fixture
async def cairn(database: Path) -> AsyncIterator[Cairn]:
    """The service with the workflows of these tests, on a fresh database."""
    async with serving(database, drain_seconds=0.1) as cairn:
        yield cairn
