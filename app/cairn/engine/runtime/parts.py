"""Parts: the objects that all attempts of a run share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from cairn.engine.language.graph import Graph
from cairn.engine.runtime.buffers import LiveBuffers
from cairn.engine.runtime.live_state import LiveState
from cairn.engine.runtime.program import Program
from cairn.engine.runtime.progress import Progress
from cairn.engine.runtime.publisher import Publisher
from cairn.engine.runtime.threads import RunLoop
from cairn.engine.runtime.tries import Earlier
from cairn.engine.runtime.waiting import Waiter, WaitingSteps

A = TypeVar("A", bound=Waiter)


@dataclass(frozen=True, slots=True)
class Parts(Generic[A]):
    """The objects that all attempts of a run share.

    Attributes:
        program: the workflow.
        graph: the steps, and the way of each event.
        progress: takes the facts; has the newest snapshot.
        state: the run's state, with the writes of all the steps under way.
        buffers: the entries of `collect_events`.
        waiting: the steps that wait in the middle of a delivery.
        publisher: shows the events of the run to its watchers.
        loop: the event loop of the run.
        attempts: the attempts under way, by the id of their delivery.
        earlier: the attempts that earlier processes have begun, by the id of the delivery.
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
    earlier: Mapping[int, Earlier] = field(default_factory=dict)

    def give_back(self, attempt: A) -> None:
        """Give the step worker of a waiting step to the next delivery."""
        self.waiting.rest(attempt)
        self.progress.wake()

    def running_steps(self) -> list[str]:
        """The names of the steps under way, without those that wait for an event."""
        working = (each.delivery.step for each in self.attempts.values() if each.worker is not None)
        return list(dict.fromkeys(working))
