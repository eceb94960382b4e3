"""The port to storage: a journal keeps the facts of runs."""

import asyncio
from asyncio import Future
from collections.abc import Sequence
from typing import Any, Protocol

from cairn.engine.core.records import Failure, Record, Status


class HeadMoved(Exception):
    """The run has ended, or goes on in another process: this process lets go of the run."""


class Journal(Protocol):
    """The store of the facts of one run, or of all the runs in a context.

    `cairn.engine.runtime.progress.Progress` calls `append` with one commit under way at a time,
    and no more of a run after a commit that was cancelled, or ended in an exception.
    `cairn.conformance` holds any journal to the promises made here.
    """

    @property
    def commits_at_once(self) -> bool:
        """True if the future that `append` returns is always done.

        A run gives such a journal each fact in a commit of its own, and does not collect the facts
        of one turn of the event loop. The answer never changes, and raises no error.
        """

    def append(
        self, records: Sequence[Record], status: Status, failure: Failure | None = None
    ) -> Future[Any]:
        """Commit checkpoints, and the status of the run after the last of them, all or nothing.

        Messages that the records consume are no longer unread, by the same commit.

        Args:
            records: the checkpoints, in the order of `seq`; all of one run. None, if the status
                alone changes.
            status: the status of the run after the checkpoints.
            failure: the reason, if the status is `failed` or `cancelled`.

        Returns:
            A future that is done once the commit has taken place. Its exception is `HeadMoved` if
            the run has a checkpoint with such a `seq` already, has ended, or belongs to another
            process: nothing is written then. Any other exception means that the commit may or may
            not have taken place. Cancelling the future takes the commit back only if the commit
            has not begun.

        Raises:
            Exception: the commit is impossible, and the run stays as it was. `HeadMoved` is never
                raised here: the future has that error.
        """


def committed() -> Future[None]:
    """A future that is done: the answer of a journal that commits within `append`."""
    done: Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done
