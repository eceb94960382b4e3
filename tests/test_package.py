"""The package by its name: what `from cairn import ...` gives, and what it costs."""

import subprocess
import sys

import pytest

import cairn
from cairn import engine


def test_every_name_of_the_language_is_in_the_package() -> None:
    assert cairn.__all__ == engine.__all__
    assert all(getattr(cairn, name) is getattr(engine, name) for name in engine.__all__)
    assert set(engine.__all__) <= set(dir(cairn))


def test_a_name_that_is_not_there_is_missed_as_in_any_module() -> None:
    with pytest.raises(ImportError, match="NoSuchName"):
        from cairn import NoSuchName  # type: ignore[attr-defined]  # noqa: F401


def test_the_version_is_told_without_the_language() -> None:
    code = "import sys, cairn.cli; print('cairn.engine' in sys.modules, cairn.__version__)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["False", cairn.__version__]


def test_the_package_can_be_run() -> None:
    command = [sys.executable, "-m", "cairn", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["cairn", cairn.__version__]
