"""Steps: the functions of a workflow, which take events and give events."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, overload

from cairn.engine.errors import WorkflowValidationError
from cairn.engine.language.events import Event, StepFailedEvent
from cairn.engine.language.markers import TakesSteps
from cairn.engine.language.retry import RetryPolicy
from cairn.engine.language.signature import Signature, read

F = TypeVar("F", bound=Callable[..., Any])
GraphCheck = Literal["reachability", "dead_end"]

CONFIG = "__cairn_step__"


@dataclass(frozen=True, slots=True)
class Catches:
    """The options of a `@catch_error` step.

    Attributes:
        for_steps: the names of the steps whose failures the step handles; `None` is all steps that
            no `for_steps` names.
        max_recoveries: the failures that the step handles on the way of one event.
    """

    for_steps: tuple[str, ...] | None
    max_recoveries: int


@dataclass(frozen=True, slots=True)
class Step:
    """The definition of a step.

    Attributes:
        name: the name of the function.
        signature: the events that the step takes and gives, and its other parameters.
        num_workers: the deliveries that one run works on at once.
        retry_policy: the decision after a failure; `None` means no second attempt.
        is_async: whether the function is a coroutine function; any other runs in a thread.
        accepts_subclasses: whether the step also takes subclasses of its types of event.
        skipped_checks: the checks of `validate` that this step is exempt from.
        catches: the options of a `@catch_error` step; `None` for any other.
        description: the docstring of the function.
        was: the names of the step in earlier code.
    """

    name: str
    signature: Signature
    num_workers: int = 4
    retry_policy: RetryPolicy | None = None
    is_async: bool = True
    accepts_subclasses: bool = False
    skipped_checks: frozenset[str] = frozenset()
    catches: Catches | None = None
    description: str = field(default="", compare=False)
    was: tuple[str, ...] = ()

    @property
    def takes(self) -> tuple[type[Event], ...]:
        """The types of event that the step takes."""
        return self.signature.takes

    @property
    def gives(self) -> tuple[type[Event], ...]:
        """The types of event that the step may return."""
        return self.signature.gives

    def accepts(self, kind: type[Event]) -> bool:
        """Return whether the step takes events of this type."""
        return kind in self.takes or (self.accepts_subclasses and issubclass(kind, self.takes))


@overload
def step(function: F) -> F: ...
@overload
def step(
    *,
    workflow: TakesSteps | None = None,
    num_workers: int = 4,
    retry_policy: RetryPolicy | None = None,
    skip_graph_checks: Sequence[GraphCheck] | None = None,
    accept_event_subclasses: bool = False,
    was: str | Sequence[str] = (),
) -> Callable[[F], F]: ...
def step(
    function: F | None = None,
    *,
    workflow: TakesSteps | None = None,
    num_workers: int = 4,
    retry_policy: RetryPolicy | None = None,
    skip_graph_checks: Sequence[GraphCheck] | None = None,
    accept_event_subclasses: bool = False,
    was: str | Sequence[str] = (),
) -> F | Callable[[F], F]:
    """Make a method a step of its workflow, or a function a step of the given workflow.

        @step
        async def critique_joke(self, ev: JokeEvent) -> StopEvent: ...

        @step(workflow=JokeFlow)
        async def translate_joke(ev: JokeEvent) -> StopEvent: ...

    The annotations declare the events. An `async def` runs on the event loop, any other function in
    a thread of its own.

    - One event parameter: each event of its type starts the step; of a union, each event of any
      member.
    - Several event parameters: one event for each starts the step, paired in the order of arrival.
    - `list[E]`: the step starts once, with all events of type E that come of one returned list, in
      the order of that list; with `Annotated[list[E], Collect(Take(n))]`, with the first n.
    - `Context`: the context. `Annotated[T, Resource(factory)]`: the object that the factory makes.
      A `Workflow` class: the workflow added under the parameter's name (see
      `Workflow.add_workflows`).
    - The return annotation names the events that the step gives; `None` in the union allows no
      event. A returned list is a batch, whose events are worked on at the same time.

    Args:
        function: the method or function, if `step` is used without parentheses.
        workflow: the workflow class, for a function outside of a class.
        num_workers: the events that the step works on at once in one run, 1 or more.
        retry_policy: decides on another attempt after the step has raised; by default there is
            none. Writes and events of the failed attempt are dropped.
        skip_graph_checks: checks of `validate` to leave out for this step: "reachability" (no event
            leads to the step) or "dead_end" (the step's events lead to no end).
        accept_event_subclasses: whether the step also takes events of subclasses of its types.
        was: earlier names of the step. In runs begun by earlier code, pending deliveries under such
            a name go to this step.

    Raises:
        WorkflowValidationError: the signature does not declare the step's events, or an argument
            has a wrong value.
    """
    _check_options(num_workers, retry_policy, skip_graph_checks)
    scope = sys._getframe(1)

    def decorate(function: F) -> F:
        config = Step(
            _name(function),
            read(function, scope),
            num_workers,
            retry_policy,
            inspect.iscoroutinefunction(function),
            accept_event_subclasses,
            frozenset(skip_graph_checks or ()),
            description=inspect.getdoc(function) or "",
            was=(was,) if isinstance(was, str) else tuple(was),
        )
        setattr(function, CONFIG, config)
        if workflow is not None:
            workflow.add_step(function)
        elif _is_free(function):
            raise WorkflowValidationError(
                f"Step {config.name!r} is in no class: say whose step it is, "
                "@step(workflow=MyWorkflow)."
            )
        return function

    return decorate if function is None else decorate(function)


@overload
def catch_error(function: F) -> F: ...
@overload
def catch_error(
    *, for_steps: list[str] | None = None, max_recoveries: int = 1
) -> Callable[[F], F]: ...
def catch_error(
    function: F | None = None, *, for_steps: list[str] | None = None, max_recoveries: int = 1
) -> F | Callable[[F], F]:
    """Make a method the step that continues a run after another step has failed for good.

        @catch_error(for_steps=["fetch"])
        async def use_cache(self, ev: StepFailedEvent) -> Fetched | StopEvent: ...

    A step has failed for good when its retry policy gives up, or when the step raises and has no
    policy. Writes and events of the failed attempt are dropped. If the handler raises, the run
    fails.

    Args:
        function: the method, if `catch_error` is used without parentheses.
        for_steps: the names of the steps whose failures the handler takes; `None` is all steps that
            no `for_steps` names.
        max_recoveries: the failures that the handler takes on the way of one event, 1 or more. At
            the next, the run fails.

    Raises:
        WorkflowValidationError: the method does not take a StepFailedEvent alone, or an argument
            has a wrong value.
    """
    if (
        isinstance(max_recoveries, bool)
        or not isinstance(max_recoveries, int)
        or max_recoveries < 1
    ):
        raise WorkflowValidationError(f"max_recoveries must be 1 or more, not {max_recoveries!r}.")
    if for_steps is not None and not (
        isinstance(for_steps, list) and all(isinstance(name, str) for name in for_steps)
    ):
        raise WorkflowValidationError(
            f"for_steps must be a list of steps' names, not {for_steps!r}."
        )
    scope = sys._getframe(1)

    def decorate(function: F) -> F:
        signature = read(function, scope)
        if signature.takes != (StepFailedEvent,) or signature.slots or signature.collects:
            raise WorkflowValidationError(
                f"{_name(function)!r} handles failures: its event must be a StepFailedEvent."
            )
        config = Step(
            _name(function),
            signature,
            num_workers=1,
            is_async=inspect.iscoroutinefunction(function),
            catches=Catches(None if for_steps is None else tuple(for_steps), max_recoveries),
            description=inspect.getdoc(function) or "",
        )
        setattr(function, CONFIG, config)
        return function

    return decorate if function is None else decorate(function)


def step_of(function: object) -> Step | None:
    """Return the definition of a function marked with `step` or `catch_error`, else `None`."""
    config = getattr(function, CONFIG, None)
    return config if isinstance(config, Step) else None


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))


def _is_free(function: Callable[..., Any]) -> bool:
    # Outside of any class, a qualified name has no outer part or ends it in `<locals>` (PEP 3155).
    outer = getattr(function, "__qualname__", "").rpartition(".")[0]
    return not outer or outer.endswith("<locals>")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _check_options(
    num_workers: object, retry_policy: object, skip_graph_checks: Sequence[str] | None
) -> None:
    if not _is_count(num_workers):
        raise WorkflowValidationError(f"num_workers must be 1 or more, not {num_workers!r}.")
    is_policy = isinstance(retry_policy, RetryPolicy) and not isinstance(retry_policy, type)
    if retry_policy is not None and not is_policy:
        raise WorkflowValidationError(
            f"retry_policy must have a method `next`, as retry_policy(...) makes it; "
            f"{retry_policy!r} has none."
        )
    unknown = set(skip_graph_checks or ()) - {"reachability", "dead_end"}
    if unknown:
        raise WorkflowValidationError(
            f"skip_graph_checks knows 'reachability' and 'dead_end', not {sorted(unknown)}."
        )
