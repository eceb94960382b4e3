"""Definition: the steps, the name and the options of a workflow class, read and checked."""

import re
from collections.abc import Collection, Iterator, Mapping

from cairn.engine.errors import WorkflowConfigurationError, WorkflowValidationError
from cairn.engine.language.resources.manager import ResourceManager
from cairn.engine.language.resources.resource import problems
from cairn.engine.language.steps import Step, step_of
from cairn.engine.language.validation import CHECKS


def steps_of(cls: type) -> dict[str, Step]:
    """The steps of the class and of its bases, by name, in the order of definition."""
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    found = ((name, step_of(getattr(cls, name))) for name in names)
    return {name: config for name, config in found if config is not None}


def service_name(class_name: str) -> str:
    """The class's name in snake_case, without `Flow` or `Workflow` at the end.

    `service_name("JokeFlow")` is "joke".
    """
    short = re.sub(r"(Workflow|Flow)$", "", class_name) or class_name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", short).lower()


def check_options(
    timeout: float | None, num_concurrent_runs: int | None, skip_graph_checks: Collection[str]
) -> None:
    """Check the arguments of `Workflow(...)`.

    Raises:
        WorkflowConfigurationError: `timeout` is not more than 0.
        WorkflowValidationError: `num_concurrent_runs` is no integer of 1 or more, or a check to
            skip does not exist.
    """
    if timeout is not None and timeout <= 0:
        raise WorkflowConfigurationError(f"timeout must be more than 0 seconds, not {timeout}.")
    if num_concurrent_runs is not None and (
        isinstance(num_concurrent_runs, bool)
        or not isinstance(num_concurrent_runs, int)
        or num_concurrent_runs < 1
    ):
        raise WorkflowValidationError(
            f"num_concurrent_runs must be 1 or more, or None, not {num_concurrent_runs!r}."
        )
    if unknown := set(skip_graph_checks) - set(CHECKS):
        raise WorkflowValidationError(
            f"skip_graph_checks knows {', '.join(CHECKS)}; not {', '.join(sorted(unknown))}."
        )


def resource_problems(
    steps: Mapping[str, Step], manager: ResourceManager, check_configs: bool, call_factories: bool
) -> Iterator[str]:
    """Yield the problems of the steps' resources, each with the step and the parameter.

    Args:
        steps: the steps by name.
        manager: has the resources that are made already, and makes the others.
        check_configs: whether to read configuration files, and to check factories without a call.
        call_factories: whether to make each resource without a problem so far.
    """
    for step in steps.values():
        for name, resource in step.signature.resources.items():
            found = problems(resource, manager) if check_configs else []
            if call_factories and not found:
                found = manager.try_to_make(resource)
            yield from (f"step {step.name!r}, parameter {name!r}: {problem}" for problem in found)
