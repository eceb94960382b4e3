"""Parts: what the attempts of one run share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from cairn.engine.language.graph import Graph
from cairn.engine.runtime.buffers import LiveBuffers
from cairn.engine.runtime.live_state import LiveState
from cairn.engine.runtime.program import Program
from cairn.engine.runtime.progress import Progress
from cairn.engine.runtime.publisher import Publisher
from cairn.engine.runtime.threads import RunLoop
from cairn.engine.runtime.waiting import Waiter, WaitingSteps

A = TypeVar("A", bound=Waiter)


@dataclass(frozen=True, slots=True)
class Parts(Generic[A]):
    """What a run is made of, as far as its attempts need it.

    Attributes:
        program: the workflow.
        graph: its steps, and where events go.
        progress: where the run stands; it takes the facts.
        state: the state as all the steps of the run see it.
        buffers: what `collect_events` has put by.
        waiting: the steps that wait in their middle.
        publisher: shows what happens to those who watch the run.
        loop: the event loop that the run is on.
        attempts: those under way, by the id of their delivery.
    """

    program: Program
    graph: Graph
    progress: Progress[A]
    state: LiveState
    buffers: LiveBuffers
    waiting: WaitingSteps
    publisher: Publisher
    loop: RunLoop
    attempts: dict[int, A]

    def give_back(self, attempt: A) -> None:
        """The step waits: another delivery can have its step worker."""
        self.waiting.rest(attempt)
        self.progress.wake()

    def running_steps(self) -> list[str]:
        """The names of the steps under way, those that wait in their middle left out."""
        working = (it.delivery.step for it in self.attempts.values() if it.worker is not None)
        return list(dict.fromkeys(working))
