"""A workflow whose step ends its process, as a crash in a library does."""

import os
from pathlib import Path

from cairn import Event, StartEvent, StopEvent, Workflow, step


class Dose(StartEvent):
    """The file whose presence makes the step harmless."""

    antidote: str


class Swallowed(Event):
    """The dose, on its way."""

    antidote: str


class PoisonWorkflow(Workflow):
    """Ends the process in its second step."""

    @step
    async def swallow(self, ev: Dose) -> Swallowed:
        return Swallowed(antidote=ev.antidote)

    @step
    def digest(self, ev: Swallowed) -> StopEvent:
        if not Path(ev.antidote).exists():
            os._exit(7)
        return StopEvent(result="well")
