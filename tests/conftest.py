"""What tests of several rooms share."""

import os
import secrets
from collections.abc import Iterator

import pytest
import structlog

from tests.command import here
from tests.databases import database_url, postgresql
from tests.scripted_model import Scripted, scripted_model

__all__ = ["database_url", "here", "postgresql"]

SEED_VARIABLE = "TEST_SEED"
"""The variable with the seed of what each run of the tests draws anew."""


def pytest_configure() -> None:
    """Draw the seed, unless one is given: before there are other processes, which share it."""
    os.environ.setdefault(SEED_VARIABLE, str(secrets.randbelow(2**32)))


def pytest_report_header() -> str:
    """Tell the seed."""
    return f"{SEED_VARIABLE}={os.environ[SEED_VARIABLE]}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow ones out, unless they are asked for by their marker."""
    if "slow" in config.option.markexpr:
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="takes long: ask for it with -m slow"))


@pytest.fixture(autouse=True, scope="session")
def uncached_logs() -> Iterator[None]:
    """Loggers that are made anew at each use: `capture_logs` hears no cached one.

    A command of the service, called in the process of the tests, would have them cached.
    """
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            structlog,
            "configure",
            lambda **given: configure(**{**given, "cache_logger_on_first_use": False}),
        )
        yield


@pytest.fixture
def nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """No language model is configured, and no proxy stands before this machine."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def scripted(nothing_configured: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    """The language model that is configured says what the test wants said."""
    with scripted_model() as script:
        monkeypatch.setenv("OPENAI_BASE_URL", script.url)
        yield script
