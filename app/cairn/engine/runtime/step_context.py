"""The part behind the context of a step: the attempt that executes the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from cairn.engine.core.snapshot import Delivery
from cairn.engine.errors import ContextStateError
from cairn.engine.language.behind import Behind
from cairn.engine.language.context import Context
from cairn.engine.language.events import Event
from cairn.engine.language.retry import RetryInfo
from cairn.engine.language.state_store import Cells


class Executing(Protocol):
    """The part of an attempt that the context of its step needs."""

    delivery: Delivery
    retry: RetryInfo
    is_over: bool

    @property
    def state(self) -> Cells:
        """The run's state, with the copies of values that the step holds."""

    def running_steps(self) -> list[str]:
        """The names of the run's steps under way, without those that wait for an event."""

    def send(self, event: Event, step: str | None) -> None:
        """Keep a copy of an event until the step completes or begins to wait."""

    def collect(
        self, event: Event, expected: Sequence[type[Event]], buffer: str
    ) -> list[Event] | None:
        """Put an event into a buffer; take the expected events once the buffer has all of these."""

    async def wait(
        self,
        kind: type[Event],
        question: Event | None,
        waiter: str | None,
        requirements: Mapping[str, Any],
        timeout: float | None,
    ) -> Event:
        """Wait for an event of a type, with the required fields."""

    def show(self, event: Event) -> None:
        """Show an event to the watchers of the run."""


class StepContext(Context[Any]):
    """The context that a step is given for one attempt."""

    def __init__(self, attempt: Executing, state_type: type[BaseModel]) -> None:
        self._behind = BehindStep(attempt, state_type)


class BehindStep(Behind):
    """The part behind the context of a step: its attempt, while that is under way."""

    def __init__(self, attempt: Executing, state_type: type[BaseModel]) -> None:
        self.attempt = attempt
        self._state_type = state_type

    @property
    def state_type(self) -> type[BaseModel]:
        """The type of the state that the steps' annotations name."""
        return self._state_type

    @property
    def is_running(self) -> bool:
        """True: the run of this step is under way."""
        return True

    def cells(self) -> Cells:
        """The run's state, with the copies of values that this step holds."""
        return self._under_way("the state").state

    async def running_steps(self) -> list[str]:
        """The names of the run's steps under way, without those that wait for an event."""
        return self.attempt.running_steps()

    def send(self, event: Event, step: str | None) -> None:
        """Send an event once the step completes or begins to wait."""
        self._under_way("send_event").send(event, step)

    def retry_info(self) -> RetryInfo:
        """The failed attempts before this one."""
        return self._under_way("retry_info").retry

    def collect(
        self, event: Event, expected: Sequence[type[Event]], buffer: str
    ) -> list[Event] | None:
        """Put an event into a buffer; take the expected events once the buffer has all of these."""
        attempt = self._under_way("collect_events")
        return attempt.collect(event, expected, buffer) if expected else []

    async def wait(
        self,
        kind: type[Event],
        question: Event | None,
        waiter: str | None,
        requirements: Mapping[str, Any],
        timeout: float | None,
    ) -> Event:
        """Wait for an event of a type, with the required fields."""
        attempt = self._under_way("wait_for_event")
        return await attempt.wait(kind, question, waiter, requirements, timeout)

    def show(self, event: Event) -> None:
        """Show the event to the watchers of the run, at once."""
        self._under_way("write_event_to_stream").show(event)

    def _under_way(self, used: str) -> Executing:
        """The attempt, if the step has not ended.

        Raises:
            ContextStateError: the step has ended.
        """
        if self.attempt.is_over:
            raise ContextStateError(
                f"Step {self.attempt.delivery.step!r} has returned: {used} of its context can only "
                "be used while it is under way."
            )
        return self.attempt
