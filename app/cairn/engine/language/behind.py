"""Behind: the implementation of a context, which `Context` delegates to.

In a step, that is the step's attempt; outside of steps, the runs that share the context.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from cairn.engine.errors import ContextStateError
from cairn.engine.language.checkpoint import Checkpoint
from cairn.engine.language.events import Event
from cairn.engine.language.retry import RetryInfo
from cairn.engine.language.serializers import BaseSerializer
from cairn.engine.language.state_store import Cells


class Behind(ABC):
    """The implementation of a context.

    Every context has the abstract methods. A step's context and a held context, outside of steps,
    each implement one group of the rest, and refuse the other group with a ContextStateError.
    """

    @property
    @abstractmethod
    def state_type(self) -> type[BaseModel]:
        """The type of the state as a whole."""

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """True while a run is under way."""

    @abstractmethod
    def cells(self) -> Cells:
        """Return the state, key by key."""

    @abstractmethod
    async def running_steps(self) -> list[str]:
        """Return the names of the steps under way, without those that wait for an event."""

    @abstractmethod
    def send(self, event: Event, step: str | None) -> None:
        """Send the event to the named step, or to every step that takes its type."""

    # For the holder of a context

    def checkpoints(self) -> list[Checkpoint]:
        """Return the checkpoints of all the runs, oldest first."""
        raise ContextStateError("A step cannot list checkpoints: its own is not there yet.")

    def stream_events(self, expose_internal: bool) -> AsyncIterator[Event]:
        """Iterate over the events that the newest run shows."""
        raise ContextStateError("A step cannot watch its run: use the handler of the run.")

    def result(self) -> Any:
        """Return the result of the newest run."""
        raise ContextStateError("A step cannot have the result of its run: it is not there yet.")

    def to_dict(self, serializer: BaseSerializer | None, include_state: bool) -> dict[str, Any]:
        """Return the context as a dict of JSON's types."""
        raise ContextStateError("A step cannot write its context: its own is half done.")

    # For a step

    def retry_info(self) -> RetryInfo:
        """Return the count and the last error of the attempts before this one."""
        raise _only_in_a_step("retry_info")

    def collect(
        self, event: Event, expected: Sequence[type[Event]], buffer: str
    ) -> list[Event] | None:
        """Buffer the event; return the expected events once all are buffered, otherwise `None`."""
        raise _only_in_a_step("collect_events")

    async def wait(
        self,
        kind: type[Event],
        question: Event | None,
        waiter: str | None,
        requirements: Mapping[str, Any],
        timeout: float | None,
    ) -> Event:
        """Wait for an event of the type `kind` that meets the requirements."""
        raise _only_in_a_step("wait_for_event")

    def show(self, event: Event) -> None:
        """Show the event to the watchers of the run."""
        raise _only_in_a_step("write_event_to_stream")


def _only_in_a_step(method: str) -> ContextStateError:
    return ContextStateError(f"{method} can only be used in a step, on its own context.")
