"""Tests against real processes, which are killed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.service import Service

SHOWN_LINES = 300

Start = Callable[..., Service]


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Start]:
    """Makes services on one database, each with settings of its own; they are not started yet.

    None outlives the test. What they said is printed, which pytest shows where a test fails.
    """
    made: list[Service] = []
    with ExitStack() as stack:

        def make(**settings: str) -> Service:
            made.append(stack.enter_context(Service(tmp_path / "home", **settings)))
            return made[-1]

        yield make
    for number, service in enumerate(made):
        print(f"===== output of service {number}, processes {service.pids}")
        print("\n".join(service.output.splitlines()[-SHOWN_LINES:]))


@pytest.fixture
def service(make_service: Start) -> Service:
    """A service that is not started yet."""
    return make_service()
