"""Limits: the bounds of a run. A run beyond a bound is ended."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from cairn.engine.errors import WorkflowRuntimeError


class LimitExceeded(WorkflowRuntimeError):
    """The run has exceeded one of its bounds."""


class Limited(Protocol):
    """A workflow that may set bounds of its own; `None` sets none."""

    @property
    def max_steps(self) -> int | None:
        """The checkpoints that a run may have before its end."""

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
        seconds: the longest time from the begin to the end, over all processes.
    """

    steps: int | None = None
    pending: int | None = None
    seconds: float | None = None

    def or_of(self, workflow: Limited) -> Limits:
        """These limits, each replaced by the workflow's own if there is one."""
        return Limits(
            self.steps if workflow.max_steps is None else workflow.max_steps,
            self.pending if workflow.max_pending is None else workflow.max_pending,
            self.seconds if workflow.max_seconds is None else workflow.max_seconds,
        )

    def over(self, checkpoints: int, pending: int) -> LimitExceeded | None:
        """The error of a run beyond a bound; `None` within all bounds.

        Args:
            checkpoints: the checkpoints of the run so far.
            pending: the deliveries that are pending now.
        """
        if self.steps is not None and checkpoints >= self.steps:
            return exceeded(f"{checkpoints} checkpoints", "max_steps", "CAIRN_MAX_STEPS")
        if self.pending is not None and pending > self.pending:
            return exceeded(f"{pending} pending deliveries", "max_pending", "CAIRN_MAX_PENDING")
        return None

    def late(self) -> LimitExceeded:
        """The error of a run that has taken longer than `seconds`."""
        return exceeded(f"{self.seconds:g} seconds", "max_seconds", "CAIRN_MAX_SECONDS")


NO_LIMITS = Limits()


def exceeded(amount: str, name: str, setting: str) -> LimitExceeded:
    """The error of a run beyond a bound.

    Args:
        amount: the number and its unit, as in "10000 checkpoints".
        name: the workflow's attribute that sets the bound.
        setting: the environment variable that sets the bound for all workflows.
    """
    return LimitExceeded(
        f"The run has come to {amount}, and {name} allows no more. Raise {name} on the workflow, "
        f"or {setting} for all of them; then rerun from the last checkpoint. Nothing is lost."
    )
