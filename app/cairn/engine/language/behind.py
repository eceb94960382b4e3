"""What stands behind a context: of a step, its attempt; of whoever holds it, the runs in it."""

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
    """The operations behind a context.

    Both kinds of context have the abstract ones. Each has a part of the rest, and refuses the other
    part with a ContextStateError.
    """

    @property
    @abstractmethod
    def state_type(self) -> type[BaseModel]:
        """The type of the state as a whole."""

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """Whether a run is under way."""

    @abstractmethod
    def cells(self) -> Cells:
        """The state, key by key."""

    @abstractmethod
    async def running_steps(self) -> list[str]:
        """The names of the steps under way, those that wait for an event left out."""

    @abstractmethod
    def send(self, event: Event, step: str | None) -> None:
        """Send the event to the step named, or to every step that takes its type."""

    # For the holder of a context

    def checkpoints(self) -> list[Checkpoint]:
        """The checkpoints of all the runs, oldest first."""
        raise ContextStateError("A step cannot list checkpoints: its own is not there yet.")

    def stream_events(self, expose_internal: bool) -> AsyncIterator[Event]:
        """What the newest run shows."""
        raise ContextStateError("A step cannot watch its run: use the handler of the run.")

    def result(self) -> Any:
        """What the newest run came to."""
        raise ContextStateError("A step cannot have the result of its run: it is not there yet.")

    def to_dict(self, serializer: BaseSerializer | None, include_state: bool) -> dict[str, Any]:
        """The context as a dict of JSON's types."""
        raise ContextStateError("A step cannot write its context: its own is half done.")

    # For a step

    def retry_info(self) -> RetryInfo:
        """The attempts before this one."""
        raise _only_in_a_step("retry_info")

    def collect(
        self, event: Event, expected: Sequence[type[Event]], buffer: str
    ) -> list[Event] | None:
        """Put the event by, and take what was expected if it is all there."""
        raise _only_in_a_step("collect_events")

    async def wait(
        self,
        kind: type[Event],
        question: Event | None,
        waiter: str | None,
        requirements: Mapping[str, Any],
        timeout: float | None,
    ) -> Event:
        """Wait for an event that fits."""
        raise _only_in_a_step("wait_for_event")

    def show(self, event: Event) -> None:
        """Show the event to those who watch the run."""
        raise _only_in_a_step("write_event_to_stream")


def _only_in_a_step(what: str) -> ContextStateError:
    return ContextStateError(f"{what} can only be used in a step, on its own context.")
