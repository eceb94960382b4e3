"""Resources: what steps need besides their event, made for them by factories or read from files."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

from cairn.engine.language.resources.descriptor import ResourceDescriptor
from cairn.engine.language.resources.errors import ResourceError
from cairn.engine.language.resources.factory import hint_of, name_of, parameters_of
from cairn.engine.language.resources.manager import ResourceManager, cycle

NO_NAMES: Mapping[str, Any] = MappingProxyType({})


class Resource:
    """A resource that a factory makes.

        async def open_index(limits: Annotated[Limits, ResourceConfig("limits.json")]) -> Index:
            ...

        @step
        async def look_up(
            self, ev: StartEvent, index: Annotated[Index, Resource(open_index)]
        ) -> StopEvent: ...

    Parameters of the factory may be annotated with resources in their turn; they are made first.
    Others need a default. The factory is called on the event loop, so it should be quick or a
    coroutine function. What it raises fails the step, and whoever asks next calls it again.

    Two factories make two resources, whatever they are called.

    A resource is no part of a run's state. It is in no checkpoint, and after a crash it is made
    anew: what has to last belongs in the context.

    Args:
        factory: makes the resource; anything that can be called.
        cache: whether it is made once for each workflow object, and shared by all steps of all
            of its runs. Otherwise it is made for each execution of a step, which still shares
            it with the other resources that it uses.

    Attributes:
        name: the qualified name of the factory.
        key: the factory itself; by identity, for factories that are equal may still differ.

    Raises:
        ResourceError: the factory cannot be called.
    """

    def __init__(self, factory: Callable[..., Any], cache: bool = True) -> None:
        if not callable(factory):
            raise ResourceError(
                f"Resource takes a function that makes the resource; {factory!r} is a "
                f"{type(factory).__name__} and cannot be called."
            )
        self.factory = factory
        self.cache = cache
        self.name = name_of(factory)
        self.key: Hashable = ("factory", id(factory))
        if inspect.ismethod(factory):  # Python makes a new one at each access
            self.key = ("factory", id(factory.__self__), id(factory.__func__))
        self._names = NO_NAMES

    def __repr__(self) -> str:
        return f"Resource({self.name}{'' if self.cache else ', cache=False'})"

    def bound_to(self, annotated: Any, names: Mapping[str, Any]) -> Resource:  # noqa: ARG002
        """This resource, of whatever type; the names help to read a local factory's annotations."""
        if self._names or "<locals>" not in self.name:
            return self
        bound = Resource(self.factory, self.cache)
        bound._names = names
        return bound

    def dependencies(self) -> dict[str, ResourceDescriptor]:
        """The factory's parameters that are resources.

        Raises:
            ResourceError: an annotation cannot be read, or a parameter is neither a resource nor
                has a default.
        """
        found: dict[str, ResourceDescriptor] = {}
        for parameter in parameters_of(self.factory):
            resource = resource_of(hint_of(self.factory, parameter, self._names), self._names)
            if resource is not None:
                found[parameter.name] = resource
            elif parameter.default is parameter.empty:
                raise ResourceError(
                    f"Nobody can give parameter {parameter.name!r} of resource factory "
                    f"{self.name} its value: annotate it, Annotated[T, Resource(factory)], or "
                    "give it a default."
                )
        return found

    def check(self) -> None:
        """Nothing: `dependencies` has said what can be known before the factory is called."""

    async def build(self, arguments: Mapping[str, Any]) -> Any:
        """Call the factory, and await it if it is a coroutine function."""
        made = self.factory(**arguments)
        # Not whatever can be awaited: clients and pools often can, and are the resource themselves.
        return await made if inspect.iscoroutine(made) else made


def resource_of(hint: Any, names: Mapping[str, Any] = NO_NAMES) -> ResourceDescriptor | None:
    """The resource that a type hint declares, for the type it annotates.

        for name, hint in typing.get_type_hints(function, include_extras=True).items():
            if (resource := resource_of(hint)) is not None: ...

    Args:
        hint: an `Annotated[...]` as it was written, not stripped of its extras; anything else
            is no resource.
        names: the local names in sight where the hint was written. The annotations of factories
            that were defined there are read with them; other factories do not see them.

    Returns:
        `None` where the hint declares no resource.

    Raises:
        ResourceError: the resource does not go with the annotated type.
    """
    if typing.get_origin(hint) is not Annotated:
        return None
    annotated, *extras = typing.get_args(hint)
    for extra in extras:
        if isinstance(extra, ResourceDescriptor) and not isinstance(extra, type):
            return extra.bound_to(annotated, names)
    return None


def problems(resource: ResourceDescriptor, manager: ResourceManager | None = None) -> list[str]:
    """What will keep the resource from being made, as far as that can be known beforehand.

    No factory is called; configuration files are read. Found are factories that need one another,
    parameters that nobody can give a value, and configuration files that are missing or do not
    fit, also of resources that the resource needs.

    Args:
        manager: what it has already, made or set, is not looked into.

    Returns:
        One sentence or two for each problem. Where it is one of a resource that is needed, the
        message begins with the factory and the parameter.
    """
    found: list[str] = []
    _look_into(resource, manager, (), "", set(), found)
    return found


def _look_into(
    resource: ResourceDescriptor,
    manager: ResourceManager | None,
    path: tuple[ResourceDescriptor, ...],
    where: str,
    seen: set[Hashable],
    found: list[str],
) -> None:
    if manager is not None and manager.holds(resource):
        return
    if (message := cycle(path, resource)) is not None:
        found.append(message)
        return
    if resource.key in seen:
        return
    seen.add(resource.key)
    try:
        needs = resource.dependencies()
        resource.check()
    except ResourceError as error:
        found.append(f"{where}{error}")
        return
    for parameter, need in needs.items():
        place = f"{where}{resource.name}, parameter {parameter!r}: "
        _look_into(need, manager, (*path, resource), place, seen, found)
