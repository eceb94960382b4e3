"""Limits: what a run may come to, before it is ended."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from cairn.engine.errors import WorkflowRuntimeError


class LimitExceeded(WorkflowRuntimeError):
    """A run has come to more than it may."""


class Limited(Protocol):
    """A workflow that may set limits of its own; `None` where it sets none."""

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
    """What a run may come to; `None` is without limit.

    Attributes:
        steps: its checkpoints.
        pending: its deliveries that are pending at once.
        seconds: from its beginning to its end, whichever process drives it.
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
        """Why a run that has come to so much is to end, if it is."""
        if self.steps is not None and checkpoints >= self.steps:
            return exceeded(f"{checkpoints} checkpoints", "max_steps", "CAIRN_MAX_STEPS")
        if self.pending is not None and pending > self.pending:
            return exceeded(f"{pending} pending deliveries", "max_pending", "CAIRN_MAX_PENDING")
        return None

    def late(self) -> LimitExceeded:
        """Why a run is to end whose time is up."""
        return exceeded(f"{self.seconds:g} seconds", "max_seconds", "CAIRN_MAX_SECONDS")


NO_LIMITS = Limits()


def exceeded(what: str, name: str, setting: str) -> LimitExceeded:
    """The run has come to that much, which is all that it may."""
    return LimitExceeded(
        f"The run has come to {what}, and {name} allows no more. Raise {name} on the workflow, or "
        f"{setting} for all of them; then rerun from the last checkpoint. Nothing is lost."
    )
