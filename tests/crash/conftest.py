"""Tests against real processes, which are killed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.nursery import Nursery
from tests.crash.service import Service

SHOWN_LINES = 300

Start = Callable[..., Service]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Where the processes of services come from."""
    with Nursery() as nursery:
        yield nursery


@pytest.fixture
def serve_at(tmp_path: Path, nursery: Nursery) -> Iterator[Start]:
    """Makes services on databases, each with settings of its own; they are not started yet.

    None outlives the test. What they said is printed, which pytest shows where a test fails.
    """
    made: list[Service] = []
    with ExitStack() as stack:

        def make(database_url: str, **settings: str) -> Service:
            service = Service(tmp_path / "home", database_url, nursery, settings)
            made.append(stack.enter_context(service))
            return service

        yield make
    for number, service in enumerate(made):
        print(f"===== output of service {number}, processes {service.pids}")
        print("\n".join(service.output.splitlines()[-SHOWN_LINES:]))


@pytest.fixture
def make_service(serve_at: Start, database_url: str) -> Start:
    """Makes services on one database; a test of them runs once on each kind."""

    def make(**settings: str) -> Service:
        return serve_at(database_url, **settings)

    return make


@pytest.fixture
def service(make_service: Start) -> Service:
    """A service that is not started yet."""
    return make_service()
