"""Steps: the methods of a workflow that take events and give events."""

import inspect
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from pydantic import BaseModel

from app.engine.context import Context
from app.engine.errors import WorkflowValidationError
from app.engine.events import Event
from app.engine.retry import RetryPolicy

F = TypeVar("F", bound=Callable[..., Any])

CONFIG = "__cairn_step__"


@dataclass(frozen=True, slots=True)
class Step:
    """What a step's signature says.

    Attributes:
        name: the method's name.
        takes: the types of event it takes.
        gives: the types of event it may return.
        event_parameter: the name of the parameter for the event.
        context_parameter: that for the context, if it has one.
        state_type: the type of state that its context is annotated with, `Context[MyState]`.
        num_workers: how many deliveries of it may be under way at once in one run.
        retry_policy: what becomes of it when it raises; `None` fails the run at once.
        is_async: whether it is a coroutine function; others are called in a thread.
    """

    name: str
    takes: tuple[type[Event], ...]
    gives: tuple[type[Event], ...]
    event_parameter: str
    context_parameter: str | None
    state_type: type[BaseModel] | None
    num_workers: int
    retry_policy: RetryPolicy | None
    is_async: bool


@overload
def step(function: F) -> F: ...
@overload
def step(*, num_workers: int = 4, retry_policy: RetryPolicy | None = None) -> Callable[[F], F]: ...
def step(
    function: F | None = None, *, num_workers: int = 4, retry_policy: RetryPolicy | None = None
) -> F | Callable[[F], F]:
    """Make a method a step of its workflow.

        @step
        async def critique_joke(self, ev: JokeEvent) -> StopEvent: ...

    The annotation of its event says which events start it (a union: any of these), the return
    annotation which ones it gives; `None` among them means that it may give none. A parameter
    annotated `Context` is given the context. An `async def` runs on the event loop, any other
    function in a thread of its own.

    Args:
        num_workers: how many events it works on at once within a run.
        retry_policy: whether it is tried again when it raises, and after how long; nothing is
            kept of what the attempt that failed has written or sent.

    Raises:
        WorkflowValidationError: the signature does not say what it takes and gives.
    """
    if not (isinstance(num_workers, int) and num_workers >= 1):
        raise WorkflowValidationError(f"num_workers must be 1 or more, not {num_workers!r}.")

    if retry_policy is not None and not isinstance(retry_policy, RetryPolicy):
        raise WorkflowValidationError(
            f"retry_policy must have a method `next`, as retry_policy(...) makes it; "
            f"{retry_policy!r} has none."
        )
    scope = sys._getframe(1)

    def decorate(function: F) -> F:
        setattr(function, CONFIG, _read(function, num_workers, retry_policy, scope))
        return function

    return decorate if function is None else decorate(function)


def step_of(function: object) -> Step | None:
    """What `step` has noted of the function; `None` where it is no step."""
    config = getattr(function, CONFIG, None)
    return config if isinstance(config, Step) else None


def _read(
    function: Callable[..., Any],
    num_workers: int,
    retry_policy: RetryPolicy | None,
    scope: types.FrameType,
) -> Step:
    name = getattr(function, "__name__", repr(function))
    hints = _hints(function, name, scope)
    parameters = [p for p in inspect.signature(function).parameters if p != "self"]
    context = [p for p in parameters if _is_context(hints.get(p))]
    events = [p for p in parameters if p not in context]
    if len(events) != 1 or events[0] not in hints:
        raise WorkflowValidationError(
            f"Step {name!r} must have one parameter annotated with the event it takes, and may "
            f"have one annotated Context; it has ({', '.join(parameters)})."
        )
    if "return" not in hints:
        raise WorkflowValidationError(
            f"Step {name!r} must say what it returns: the events it gives, or None."
        )
    return Step(
        name,
        _event_types(hints[events[0]], f"the event of step {name!r}"),
        _event_types(hints["return"], f"the return of step {name!r}", or_none=True),
        events[0],
        context[0] if context else None,
        _state_type(hints[context[0]], name) if context else None,
        num_workers,
        retry_policy,
        inspect.iscoroutinefunction(function),
    )


def _hints(function: Callable[..., Any], name: str, scope: types.FrameType) -> dict[str, Any]:
    # Annotations kept as text name classes that may be local to the function around the class.
    around = scope.f_back
    local_names = {**(around.f_locals if around else {}), **scope.f_locals}
    try:
        return typing.get_type_hints(function, localns=local_names)
    except NameError as error:
        raise WorkflowValidationError(
            f"An annotation of step {name!r} names something that is not defined above it: {error}."
        ) from error


def _is_context(hint: object) -> bool:
    origin = typing.get_origin(hint) or hint
    return isinstance(origin, type) and issubclass(origin, Context)


def _state_type(hint: object, name: str) -> type[BaseModel] | None:
    if not typing.get_args(hint):
        return None
    (state_type,) = typing.get_args(hint)
    if not (isinstance(state_type, type) and issubclass(state_type, BaseModel)):
        raise WorkflowValidationError(
            f"Step {name!r} must annotate its context with a pydantic model as the type of its "
            f"state, Context[MyState], not with {state_type!r}."
        )
    return state_type


def _event_types(hint: object, what: str, or_none: bool = False) -> tuple[type[Event], ...]:
    members = typing.get_args(hint) if _is_union(hint) else (hint,)
    events = tuple(m for m in members if isinstance(m, type) and issubclass(m, Event))
    others = [m for m in members if m not in events and not (or_none and m is types.NoneType)]
    if others or not (events or or_none):
        shown = ", ".join(getattr(m, "__name__", str(m)) for m in others) or str(hint)
        raise WorkflowValidationError(
            f"The annotation of {what} must name subclasses of Event; {shown} is none."
        )
    return events


def _is_union(hint: object) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)
