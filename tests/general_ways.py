"""The general ways of the service, each in place of the fast path that stands before it."""

from collections.abc import Callable

import pytest

from cairn.engine.library.memory_journal import MemoryJournal
from cairn.executor.worker import Worker
from cairn.store import appending

GeneralWay = Callable[[pytest.MonkeyPatch], None]


def begin_later(patch: pytest.MonkeyPatch) -> None:
    """Store each new run before it is claimed."""
    patch.setattr(Worker, "_begin", lambda *_: None)


def claim_anew(patch: pytest.MonkeyPatch) -> None:
    """Claim each rerun from the database."""
    wake = Worker.wake
    patch.setattr(Worker, "wake", lambda self, run, workflow, _=None: wake(self, run, workflow))


def read_always(patch: pytest.MonkeyPatch) -> None:
    """Read from the database how each run stands."""
    patch.setattr(Worker, "view", lambda *_: None)


def commit_in_full(patch: pytest.MonkeyPatch) -> None:
    """Commit a lone checkpoint as any group of facts is."""
    patch.setattr(appending, "by_itself", lambda *_: False)


def commit_later(patch: pytest.MonkeyPatch) -> None:
    """Have a run in memory commit its news in the next turn of the event loop."""
    patch.setattr(MemoryJournal, "commits_at_once", False)


OF_THE_SERVICE = (begin_later, claim_anew, read_always, commit_in_full)
