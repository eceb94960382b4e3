"""Step by step: a run in which nothing is started before its caller says so."""

from __future__ import annotations

import asyncio

from cairn.engine.core.facts import Completed, gone_out
from cairn.engine.core.records import ENDED
from cairn.engine.language.events import Event, StopEvent
from cairn.engine.library.memory_journal import MemoryJournal
from cairn.engine.runtime.runner import Runner


class Stepping:
    """The events that the caller of a stepwise run has been given."""

    def __init__(self) -> None:
        self._given: list[Event] = []

    def has_given(self, event: Event) -> bool:
        """True if the last step gave this very event, which is pending already."""
        return any(given is event for given in self._given)

    async def step(
        self, runner: Runner, journal: MemoryJournal, run: asyncio.Task[StopEvent]
    ) -> list[Event]:
        """Execute the pending steps, and return the events that they have sent and returned.

        Args:
            journal: the journal of the run.

        Raises:
            Exception: the exception of a step that failed.
        """
        await runner.rest()  # what has been said to the run by hand is pending then, too
        start, self._given = len(journal.records), []
        runner.release()
        await runner.rest()
        for record in journal.records[start:]:
            if isinstance(record.fact, Completed) and record.run == runner.run:
                self._given += map(runner.graph.serializer.open, gone_out(record.fact))
        if runner.status in ENDED:
            await asyncio.wait([run])
            run.result()
        return self._given
