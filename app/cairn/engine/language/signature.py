"""The signature of a step, read from its annotations."""

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

FRAMES = 4
"""Call frames searched for local names: annotations kept as text may use such a name."""
ENDLESS = (AsyncGenerator, AsyncIterable, AsyncIterator)


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters and the return of a step, as its annotations declare them.

    Attributes:
        takes: the types of event that the step takes.
        gives: the types of event that the step may return, alone or in a list.
        gives_alone: the types that the step may return alone.
        gives_listed: the types that the step may return in a list.
        gives_lists: whether the step may return a list, which is a batch of events.
        event_parameter: the name of the parameter for the event or the list of events; of several
            event parameters, the first.
        slots: the types by name of several event parameters; empty if there is only one.
        collects: the number of events to collect, if the parameter is a list.
        context_parameter: the name of the parameter for the context, if any.
        state_type: the type of state named by the context's annotation, `Context[MyState]`.
        resources: the resources by the names of their parameters.
        workflows: the parameters that receive a workflow, by name.
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
    """Read the signature of a step.

    Args:
        function: the function of the step.
        scope: the frame in which the step is defined, for names in annotations kept as text.

    Raises:
        WorkflowValidationError: the annotations do not declare the step's events, or name an
            unknown name or a wrong type.
        ResourceError: a resource does not fit its annotated type.
    """
    return _SignatureReader(function, scope).signature()


class _SignatureReader:
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
            return  # a parameter with a default and without annotation is left to the step
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
        """Return the types given alone, and those given in lists; `None` if no list is given."""
        if "return" not in self.hints:
            raise WorkflowValidationError(
                f"Step {self.name!r} must say what it returns: the events it gives, or None."
            )
        place = f"the return of step {self.name!r}"
        members = _members(self.hints["return"], without_none=True)
        origins = [typing.get_origin(member) for member in members]
        if inspect.isasyncgenfunction(self.function) or any(o in ENDLESS for o in origins):
            raise WorkflowValidationError(
                f"Step {self.name!r} yields its events. Return them as a list, or send each with "
                "ctx.send_event."
            )
        listed = [m for m, origin in zip(members, origins, strict=True) if origin is list]
        alone = self._events([m for m in members if m not in listed], place, or_none=True)
        if not listed:
            return alone, None
        kinds = [k for m in listed for k in _members(*typing.get_args(m), without_none=True)]
        return alone, self._events(kinds, place)

    def _events(
        self, kinds: typing.Sequence[Any], place: str, or_none: bool = False
    ) -> tuple[type[Event], ...]:
        invalid = [kind for kind in kinds if not _is_class(kind, Event)]
        if invalid or not (kinds or or_none):
            shown = ", ".join(getattr(k, "__name__", str(k)) for k in invalid) or "nothing"
            raise WorkflowValidationError(
                f"The annotation of {place} must name subclasses of Event; {shown} is none."
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
    """Return the members of a union; any other hint is its own only member."""
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
