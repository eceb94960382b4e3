"""Limits: the bounds of a run, which is ended when it exceeds one."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from cairn.engine.errors import WorkflowRuntimeError


class LimitExceeded(WorkflowRuntimeError):
    """The run has exceeded one of its bounds."""


class Limited(Protocol):
    """A workflow that may set bounds of its own; `None` sets none."""

    @property
    def max_steps(self) -> int | None:
        """The checkpoints that a run may come to."""

    @property
    def max_pending(self) -> int | None:
        """The deliveries of a run that may be pending at once."""

    @property
    def max_seconds(self) -> float | None:
        """The seconds from the beginning of a run to its end."""


class Limits(NamedTuple):
    """The bounds of a run; `None` is without bound.

    Attributes:
        steps: the most checkpoints.
        pending: the most deliveries that are pending at once.
        seconds: the longest time from the begin to the end, in whichever processes.
    """

    steps: int | None = None
    pending: int | None = None
    seconds: float | None = None

    def or_of(self, workflow: Limited) -> Limits:
        """These, where the workflow does not say otherwise."""
        return Limits(
            self.steps if workflow.max_steps is None else workflow.max_steps,
            self.pending if workflow.max_pending is None else workflow.max_pending,
            self.seconds if workflow.max_seconds is None else workflow.max_seconds,
        )

    def over(self, checkpoints: int, pending: int) -> LimitExceeded | None:
        """The error of a run that exceeds a bound; `None` if it exceeds none."""
        if self.steps is not None and checkpoints >= self.steps:
            return exceeded(f"{checkpoints} checkpoints", "max_steps", "CAIRN_MAX_STEPS")
        if self.pending is not None and pending > self.pending:
            return exceeded(f"{pending} pending deliveries", "max_pending", "CAIRN_MAX_PENDING")
        return None

    def late(self) -> LimitExceeded:
        """The error of a run whose time is up."""
        return exceeded(f"{self.seconds:g} seconds", "max_seconds", "CAIRN_MAX_SECONDS")


NO_LIMITS = Limits()


def exceeded(what: str, name: str, setting: str) -> LimitExceeded:
    """The error of a run that exceeds this bound."""
    return LimitExceeded(
        f"The run has come to {what}, and {name} allows no more. Raise {name} on the workflow, or "
        f"{setting} for all of them; then rerun from the last checkpoint. Nothing is lost."
    )
