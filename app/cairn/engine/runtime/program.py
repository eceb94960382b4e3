"""Program: all that a run asks of its workflow."""

from collections.abc import Callable
from typing import Any, Protocol

from cairn.engine.language.graph import Graph
from cairn.engine.language.steps import Step


class Program(Protocol):
    """The part of a workflow that its runs need."""

    @property
    def name(self) -> str:
        """The workflow's name."""

    @property
    def graph(self) -> Graph:
        """The steps, and where events go."""

    @property
    def timeout(self) -> float | None:
        """The seconds that a run may take in one process; `None` is without end."""

    def function(self, step: Step) -> Callable[..., Any]:
        """The function that executes the step."""

    async def provide(self, step: Step) -> dict[str, Any]:
        """The resources and the workflows for a step, by the names of its parameters.

        Raises:
            ResourceError: a resource cannot be made.
            WorkflowValidationError: a workflow that the step needs has not been added.
            Exception: the exception of a resource's factory.
        """
