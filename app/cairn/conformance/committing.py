"""Committing: appends that must succeed, or must be refused, within a bound of time."""

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cairn.conformance.case import expect
from cairn.conformance.history import START, History
from cairn.conformance.storage import Storage
from cairn.engine.core.records import Failure, Record, Status
from cairn.engine.runtime.journal import HeadMoved, Journal

SECONDS = 60.0
"""The time within which a commit must be answered."""


async def begun(storage: Storage) -> tuple[UUID, Journal, History]:
    """A run that has been accepted, the journal on the run, and the history to be written."""
    run = await storage.begin(START)
    opened = await storage.open(run)
    expect(opened.head.checkpoint is None, f"a new run stands at {opened.head}")
    return run, opened.journal, History.on(run, opened)


def append(
    journal: Journal,
    records: Sequence[Record],
    status: Status = "running",
    failure: Failure | None = None,
) -> "Future[Any]":
    """Append a commit that is possible, whether or not the commit will be refused.

    Raises:
        AssertionError: `append` raised an error that belongs to the future, or to no commit.
    """
    try:
        return journal.append(records, status, failure)
    except Exception as error:
        raise AssertionError(f"`append` raised {error!r} for a commit that is possible") from error


async def commit(
    journal: Journal,
    records: Sequence[Record],
    status: Status = "running",
    failure: Failure | None = None,
) -> None:
    """Append, and wait for the commit.

    Raises:
        AssertionError: the commit was refused, failed or was not answered in time.
    """
    error = await answer(append(journal, records, status, failure))
    expect(error is None, f"a commit at the head was refused: {error!r}")


async def refuse(
    journal: Journal,
    records: Sequence[Record],
    status: Status = "running",
    failure: Failure | None = None,
) -> None:
    """Append, and wait for `HeadMoved`.

    Raises:
        AssertionError: the commit took place, failed otherwise or was not answered in time.
    """
    error = await answer(append(journal, records, status, failure))
    expect(error is not None, "a commit took place that `HeadMoved` should have refused")
    expect(isinstance(error, HeadMoved), f"a commit failed with {error!r} instead of `HeadMoved`")


async def answer(future: "Future[Any]") -> BaseException | None:
    """The exception of a commit; `None` once the commit has taken place.

    Raises:
        AssertionError: the commit was not answered in time, or was cancelled by the journal.
    """
    await asyncio.wait([future], timeout=SECONDS)
    expect(future.done(), f"a commit was not answered within {SECONDS:.0f} s")
    expect(not future.cancelled(), "a commit was cancelled by the journal")
    return future.exception()
