"""Markers: bases by which a step's signature tells its parameters apart."""

from collections.abc import Callable
from typing import Any, Protocol


class AnyWorkflow:
    """Base of every workflow: annotates a parameter that receives a workflow object."""


class TakesSteps(Protocol):
    """A workflow class that accepts steps defined outside of its body."""

    def add_step(self, function: Callable[..., Any], /) -> None:
        """Add the function as a step of the workflow.

        Raises:
            WorkflowValidationError: the function is not marked with `step`, or its name is taken.
        """
