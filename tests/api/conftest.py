"""A service of its own for every test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.api import gates
from tests.api.asking import Cairn, serving
from tests.databases import KINDS, of_kind


@pytest.fixture(autouse=True, scope="session")
def plain_logs() -> None:
    """As the service logs: pretty tracebacks take seconds where values are large."""
    renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[structlog.processors.add_log_level, renderer])


@pytest.fixture(autouse=True)
def closed_gates() -> None:
    gates.forget()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test marked `databases` on each kind of database, and any other on SQLite alone.

    With `seldom`, the runs on other databases are marked slow.
    """
    if "database" not in metafunc.fixturenames:
        return
    first, *others = KINDS
    kinds: list[Any] = [first]
    marked = metafunc.definition.get_closest_marker("databases")
    if marked is not None:
        marks = [pytest.mark.slow] if marked.kwargs.get("seldom") else []
        kinds += [pytest.param(kind, marks=marks) for kind in others]
    metafunc.parametrize("database", kinds, indirect=True)


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    with of_kind(request.param, request, tmp_path) as url:
        yield url


@pytest.fixture
async def cairn(database: str) -> AsyncIterator[Cairn]:
    """The service with the workflows of these tests, on a fresh database."""
    async with serving(database, drain_seconds=0.1) as cairn:
        yield cairn
