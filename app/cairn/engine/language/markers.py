"""Markers: bases by which a signature knows what a parameter is given."""

from collections.abc import Callable
from typing import Any, Protocol


class AnyWorkflow:
    """Base of every workflow: a step's parameter of such a class is given another workflow."""


class TakesSteps(Protocol):
    """A class of workflows that functions outside of it can be steps of."""

    def add_step(self, function: Callable[..., Any], /) -> None:
        """Make the function, which is marked as a step, one of the workflow's.

        Raises:
            WorkflowValidationError: the function is not marked, or its name is taken.
        """
