"""A workflow whose step blocks the event loop."""

import time
from pathlib import Path

from cairn import StartEvent, StopEvent, Workflow, step


class Block(StartEvent):
    """For how many seconds, unless the file is there that is left by doing so."""

    seconds: float
    mark: str


class BlockingWorkflow(Workflow):
    """Sleeps where it should wait."""

    @step
    async def sleep(self, ev: Block) -> StopEvent:
        mark = Path(ev.mark)
        if not mark.exists():  # noqa: ASYNC240
            mark.touch()  # noqa: ASYNC240
            time.sleep(ev.seconds)  # noqa: ASYNC251  # it is what is tried
        return StopEvent(result="slept")
