"""Steps: the functions of a workflow that take events and give events."""

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
    """The failures that a step handles.

    Attributes:
        for_steps: the steps whose failures; `None` for all steps that no other handler names.
        max_recoveries: how many times on the way of one event.
    """

    for_steps: tuple[str, ...] | None
    max_recoveries: int


@dataclass(frozen=True, slots=True)
class Step:
    """What is known of a step.

    Attributes:
        name: the function's name.
        signature: what it takes and gives.
        num_workers: how many deliveries of it may be under way at once in one run.
        retry_policy: what becomes of it when it raises; `None` fails the run at once.
        is_async: whether it is a coroutine function; others are called in a thread.
        accepts_subclasses: whether it takes events of subclasses of what it names, too.
        skipped_checks: what `validate` does not hold against it.
        catches: whose failures it handles, if it does.
        description: its docstring.
        was: names that the step had in earlier code.
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
        """The types of event it takes."""
        return self.signature.takes

    @property
    def gives(self) -> tuple[type[Event], ...]:
        """The types of event it may return."""
        return self.signature.gives

    def accepts(self, kind: type[Event]) -> bool:
        """Whether it takes events of this type."""
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
    """Make a method a step of its workflow, or a function one of the workflow named.

        @step
        async def critique_joke(self, ev: JokeEvent) -> StopEvent: ...

        @step(workflow=JokeFlow)
        async def translate_joke(ev: JokeEvent) -> StopEvent: ...

    The annotations say everything. An `async def` runs on the event loop, any other function in a
    thread of its own.

    - One event parameter starts the step with each event of its type; a union, of any of these.
    - Several start it once one of each has arrived; they are paired in the order of arrival.
    - `list[E]` starts it once with all the events of type E that came of one returned list, in
      that list's order; `Annotated[list[E], Collect(Take(n))]` with the first n.
    - `Context` is given the context, `Annotated[T, Resource(factory)]` what the factory makes, and
      a `Workflow` class the workflow of the parameter's name (see `add_workflows`).
    - The return annotation names the events it gives; with `None` among them it may give none. A
      returned list is a batch: each of its events goes out, and is worked on at the same time.

    Args:
        workflow: the workflow that a function outside of a class is a step of.
        num_workers: how many events it works on at once within a run.
        retry_policy: whether it is tried again when it raises, and after how long; nothing is
            kept of what the attempt that failed has written or sent.
        skip_graph_checks: what `validate` is not to hold against this step: "reachability", that
            no event leads to it; "dead_end", that nothing it gives leads to an end.
        accept_event_subclasses: whether it takes events of subclasses of its event type, too.
        was: the name, or names, that the step had before: what is pending for it under such a name
            in a run begun by earlier code is its own.

    Raises:
        WorkflowValidationError: the signature does not say what it takes and gives, or an argument
            is not what it must be.
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
    """Make a method the step that goes on where others have failed for good.

        @catch_error(for_steps=["fetch"])
        async def use_cache(self, ev: StepFailedEvent) -> Fetched | StopEvent: ...

    It is started with a `StepFailedEvent` when such a step has raised and its retry policy, if it
    has one, has given up. Nothing is kept of what the failed attempt has done. If the handler
    raises, the run fails.

    Args:
        for_steps: the names of the steps whose failures it handles; `None` is all that no other
            handler names.
        max_recoveries: how often it may handle a failure on the way of one event; at the next one
            the run fails.

    Raises:
        WorkflowValidationError: it does not take a StepFailedEvent, or an argument is not what it
            must be.
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
    """What `step` has noted of the function; `None` where it is no step."""
    config = getattr(function, CONFIG, None)
    return config if isinstance(config, Step) else None


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", repr(function))


def _is_free(function: Callable[..., Any]) -> bool:
    """Whether it is defined outside of any class (PEP 3155)."""
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
