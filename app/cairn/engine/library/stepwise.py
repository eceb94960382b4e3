"""Stepwise runs, in which deliveries start when the caller asks for the next step."""

from __future__ import annotations

import asyncio

from cairn.engine.core.facts import Completed, gone_out
from cairn.engine.core.records import ENDED
from cairn.engine.language.events import Event, StopEvent
from cairn.engine.library.memory_journal import MemoryJournal
from cairn.engine.runtime.runner import Runner


class Stepping:
    """A stepwise run: the progress by one step, and the events of the last step."""

    def __init__(self) -> None:
        self._given: list[Event] = []

    def has_given(self, event: Event) -> bool:
        """True if the last `step` returned this object: the event is pending already."""
        return any(given is event for given in self._given)

    async def step(
        self, runner: Runner, journal: MemoryJournal, run: asyncio.Task[StopEvent]
    ) -> list[Event]:
        """Execute the pending steps, and return the events that these have sent and returned.

        Args:
            runner: the runner of the run.
            journal: the journal of the run.
            run: the task of the run, which is awaited if the run ends with this step.

        Raises:
            Exception: the reason of the end, if the run has ended without completing.
        """
        await runner.rest()  # events sent by hand are committed then, and pending
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
