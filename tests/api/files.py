"""The service on a file of workflows that a test writes."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.api.asking import Cairn, serving


class Serve(Protocol):
    """Serves what the file says, with settings."""

    def __call__(self, text: str, **settings: Any) -> AbstractAsyncContextManager[Cairn]:
        """The service, up on the test's database."""


@pytest.fixture
def serve(database: str, tmp_path: Path) -> Serve:
    """The service on the test's database, with one file of workflows."""
    folder = tmp_path / "files"
    folder.mkdir()

    @asynccontextmanager
    async def with_file(text: str, **settings: Any) -> AsyncIterator[Cairn]:
        (folder / "flow.py").write_text(text)
        async with serving(database, folder, **settings) as cairn:
            yield cairn

    return with_file
