"""Reading a step's signature: its annotations say what it takes, is given, and gives."""

import inspect
import types
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel

from cairn.engine.errors import WorkflowValidationError
from cairn.engine.language.collect import All, Collect, Take
from cairn.engine.language.context import Context
from cairn.engine.language.events import Event
from cairn.engine.language.markers import AnyWorkflow
from cairn.engine.language.resources.descriptor import ResourceDescriptor
from cairn.engine.language.resources.resource import resource_of

FRAMES = 4  # an annotation kept as text may name what is local to the functions around its class
ENDLESS = (AsyncGenerator, AsyncIterable, AsyncIterator)


@dataclass(frozen=True, slots=True)
class Signature:
    """What the parameters and the return of a step say.

    Attributes:
        takes: the types of event it takes.
        gives: the types of event it may return, alone or in a list.
        gives_alone: of these, the ones it may return alone.
        gives_listed: the ones it may return in a list.
        gives_lists: whether it may return a list: a batch of events.
        event_parameter: the name of the parameter for the event, or for the list of events.
        slots: of several event parameters, each with the type it takes; otherwise empty.
        collects: how it collects, where its parameter is a list.
        context_parameter: the name of that for the context, if it has one.
        state_type: the type of state that its context is annotated with, `Context[MyState]`.
        resources: the parameters that are given a resource.
        workflows: the parameters that are given another workflow.
    """

    takes: tuple[type[Event], ...]
    gives: tuple[type[Event], ...]
    gives_alone: tuple[type[Event], ...]
    gives_listed: tuple[type[Event], ...]
    gives_lists: bool
    event_parameter: str
    slots: Mapping[str, type[Event]]
    collects: Collect | None
    context_parameter: str | None
    state_type: type[BaseModel] | None
    resources: Mapping[str, ResourceDescriptor]
    workflows: Mapping[str, inspect.Parameter]


def read(function: Callable[..., Any], scope: types.FrameType) -> Signature:
    """What the signature of a step says.

    Args:
        scope: where the step is defined: annotations kept as text are looked up there, too.

    Raises:
        WorkflowValidationError: it does not say what the step takes and gives.
    """
    return _Reading(function, scope).signature()


class _Reading:
    def __init__(self, function: Callable[..., Any], scope: types.FrameType) -> None:
        self.function = function
        self.name = getattr(function, "__name__", repr(function))
        self.around = _names_around(scope)
        self.hints = self._hints()
        self.slots: dict[str, tuple[type[Event], ...]] = {}
        self.lists: dict[str, Collect] = {}
        self.contexts: list[str] = []
        self.resources: dict[str, ResourceDescriptor] = {}
        self.workflows: dict[str, inspect.Parameter] = {}

    def signature(self) -> Signature:
        parameters = inspect.signature(self.function).parameters
        for parameter in parameters.values():
            if parameter.name != "self":
                self._parameter(parameter)
        self._check(parameters)
        alone, listed = self._gives()
        names = list(self.slots)
        context = self.contexts[0] if self.contexts else None
        return Signature(
            takes=tuple(dict.fromkeys(kind for kinds in self.slots.values() for kind in kinds)),
            gives=tuple(dict.fromkeys([*alone, *(listed or ())])),
            gives_alone=alone,
            gives_listed=listed or (),
            gives_lists=listed is not None,
            event_parameter=names[0],
            slots={n: kinds[0] for n, kinds in self.slots.items()} if len(names) > 1 else {},
            collects=self.lists.get(names[0]),
            context_parameter=context,
            state_type=self._state_type(self.hints[context]) if context else None,
            resources=self.resources,
            workflows=self.workflows,
        )

    def _hints(self) -> dict[str, Any]:
        try:
            return typing.get_type_hints(self.function, localns=self.around, include_extras=True)
        except NameError as error:
            raise WorkflowValidationError(
                f"An annotation of step {self.name!r} names something that is not defined above "
                f"it: {error}."
            ) from error

    # Parameters

    def _parameter(self, parameter: inspect.Parameter) -> None:
        name = parameter.name
        hint = self.hints.get(name)
        resource = resource_of(hint, self.around)
        if resource is not None:
            self.resources[name] = resource
        elif _is_class(hint, Context):
            self.contexts.append(name)
        elif _is_workflow(hint):
            self.workflows[name] = parameter
        else:
            self._event(parameter, hint)

    def _event(self, parameter: inspect.Parameter, hint: Any) -> None:
        name = parameter.name
        marker: Collect | None = None
        if typing.get_origin(hint) is Annotated:
            hint, *extras = typing.get_args(hint)
            marker = next((extra for extra in extras if isinstance(extra, Collect)), None)
        members = _members(hint, without_none=True)
        if len(members) == 1 and typing.get_origin(members[0]) is list:
            kinds = _members(*typing.get_args(members[0]), without_none=True)
            self.lists[name] = self._collect(name, marker)
        elif marker is not None:
            raise WorkflowValidationError(
                f"Parameter {name!r} of step {self.name!r} has a Collect, which is for a list of "
                "events: annotate it Annotated[list[MyEvent], Collect(...)]."
            )
        else:
            kinds = members
        if hint is None and parameter.default is not inspect.Parameter.empty:
            return  # the step's own business
        self.slots[name] = self._events(kinds, f"parameter {name!r} of step {self.name!r}")

    def _collect(self, name: str, marker: Collect | None) -> Collect:
        collect = Collect() if marker is None else marker
        if not isinstance(collect.cardinality, (All, Take)):
            raise WorkflowValidationError(
                f"Parameter {name!r} of step {self.name!r} must Collect(All()) or "
                f"Collect(Take(n)), not {collect.cardinality!r}."
            )
        return collect

    def _check(self, parameters: Mapping[str, inspect.Parameter]) -> None:
        if not self.slots or len(self.contexts) > 1:
            shown = ", ".join(name for name in parameters if name != "self")
            raise WorkflowValidationError(
                f"Step {self.name!r} must have a parameter annotated with the event it takes, and "
                f"may have one annotated Context; it has ({shown})."
            )
        if len(self.slots) == 1:
            return
        if self.lists:
            raise WorkflowValidationError(
                f"Step {self.name!r} has a list of events and other event parameters: it can have "
                "one list, or several single events."
            )
        for name, kinds in self.slots.items():
            if len(kinds) > 1:
                raise WorkflowValidationError(
                    f"Step {self.name!r} has several event parameters, so that each must name one "
                    f"type of event; {name!r} names {', '.join(k.__name__ for k in kinds)}."
                )

    def _state_type(self, hint: Any) -> type[BaseModel] | None:
        if not typing.get_args(hint):
            return None
        (state_type,) = typing.get_args(hint)
        if not _is_class(state_type, BaseModel):
            raise WorkflowValidationError(
                f"Step {self.name!r} must annotate its context with a pydantic model as the type "
                f"of its state, Context[MyState], not with {state_type!r}."
            )
        return typing.cast(type[BaseModel], state_type)

    # The return

    def _gives(self) -> tuple[tuple[type[Event], ...], tuple[type[Event], ...] | None]:
        """The types it returns alone, and those that it returns in lists, if it does."""
        if "return" not in self.hints:
            raise WorkflowValidationError(
                f"Step {self.name!r} must say what it returns: the events it gives, or None."
            )
        what = f"the return of step {self.name!r}"
        members = _members(self.hints["return"], without_none=True)
        origins = [typing.get_origin(member) for member in members]
        if inspect.isasyncgenfunction(self.function) or any(o in ENDLESS for o in origins):
            raise WorkflowValidationError(
                f"Step {self.name!r} yields its events. Return them as a list, or send each with "
                "ctx.send_event."
            )
        listed = [m for m, origin in zip(members, origins, strict=True) if origin is list]
        alone = self._events([m for m in members if m not in listed], what, or_none=True)
        if not listed:
            return alone, None
        kinds = [k for m in listed for k in _members(*typing.get_args(m), without_none=True)]
        return alone, self._events(kinds, what)

    def _events(
        self, kinds: typing.Sequence[Any], what: str, or_none: bool = False
    ) -> tuple[type[Event], ...]:
        others = [kind for kind in kinds if not _is_class(kind, Event)]
        if others or not (kinds or or_none):
            shown = ", ".join(getattr(o, "__name__", str(o)) for o in others) or "nothing"
            raise WorkflowValidationError(
                f"The annotation of {what} must name subclasses of Event; {shown} is none."
            )
        return tuple(dict.fromkeys(kinds))


def _names_around(scope: types.FrameType) -> dict[str, Any]:
    names: dict[str, Any] = {}
    frame: types.FrameType | None = scope
    for _ in range(FRAMES):
        if frame is None:
            break
        names = {**frame.f_locals, **names}
        frame = frame.f_back
    return names


def _members(*hints: Any, without_none: bool) -> list[Any]:
    """What a union is made of; anything else is its own only member."""
    found: list[Any] = []
    for hint in hints:
        is_union = typing.get_origin(hint) in (typing.Union, types.UnionType)
        found += typing.get_args(hint) if is_union else [hint]
    return [m for m in found if not (without_none and m is types.NoneType)]


def _is_class(hint: Any, parent: type) -> bool:
    origin = typing.get_origin(hint) or hint
    return isinstance(origin, type) and issubclass(origin, parent)


def _is_workflow(hint: Any) -> bool:
    return _is_class(hint, AnyWorkflow)
