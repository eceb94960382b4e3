"""Resources that factories make, and the reading of resources from annotations."""

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

    Parameters of the factory may be annotated with further resources, which are made first. Any
    other parameter needs a default. The factory is called on the event loop, and so should be quick
    or a coroutine function. An exception in the factory fails the step; the next request calls the
    factory again.

    Two factories make two resources, even if their names are equal.

    A resource is no part of a run's state: no checkpoint holds resources, and after a crash they
    are made anew. Values that must last belong in the context.

    Args:
        factory: the callable that makes the resource.
        cache: True to make the resource once for each workflow object, shared by all steps and
            runs. False to make the resource for each execution of a step, shared by the other
            resources of that execution.

    Attributes:
        name: the qualified name of the factory.
        key: the identity of the factory, since equal factories may differ.

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
        if inspect.ismethod(factory):  # each access to a method makes a new object
            self.key = ("factory", id(factory.__self__), id(factory.__func__))
        self._names = NO_NAMES

    def __repr__(self) -> str:
        return f"Resource({self.name}{'' if self.cache else ', cache=False'})"

    def bound_to(self, annotated: Any, names: Mapping[str, Any]) -> Resource:  # noqa: ARG002
        """Return this resource for any annotated type; local names help to read a local factory."""
        if self._names or "<locals>" not in self.name:
            return self
        bound = Resource(self.factory, self.cache)
        bound._names = names
        return bound

    def dependencies(self) -> dict[str, ResourceDescriptor]:
        """Return the resources among the factory's parameters, by name.

        Raises:
            ResourceError: an annotation cannot be read, or a parameter is no resource and has no
                default.
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
        """Do nothing: `dependencies` checks all that can be known without calling the factory."""

    async def build(self, arguments: Mapping[str, Any]) -> Any:
        """Call the factory, and await the result if it is a coroutine."""
        made = self.factory(**arguments)
        # Other awaitables are left alone: a client or a pool often is one, and is the resource.
        return await made if inspect.iscoroutine(made) else made


def resource_of(hint: Any, names: Mapping[str, Any] = NO_NAMES) -> ResourceDescriptor | None:
    """Return the resource that a type hint declares, for the annotated type.

        for name, hint in typing.get_type_hints(function, include_extras=True).items():
            if (resource := resource_of(hint)) is not None: ...

    Args:
        hint: a type hint with its extras. Only an `Annotated[...]` can declare a resource.
        names: the local names around the hint, to read annotations of factories defined there.

    Returns:
        `None` if the hint declares no resource.

    Raises:
        ResourceError: the resource does not fit the annotated type.
    """
    if typing.get_origin(hint) is not Annotated:
        return None
    annotated, *extras = typing.get_args(hint)
    for extra in extras:
        if isinstance(extra, ResourceDescriptor) and not isinstance(extra, type):
            return extra.bound_to(annotated, names)
    return None


def problems(resource: ResourceDescriptor, manager: ResourceManager | None = None) -> list[str]:
    """Return the problems that will prevent the resource from being made.

    Configuration files are read; no factory is called. Cycles of factories, parameters without a
    value, and missing or unfit configuration files are found, also in dependencies.

    Args:
        resource: the resource to check.
        manager: a manager whose resources, made or set, need no check.

    Returns:
        One or two sentences for each problem. A problem of a dependency begins with the factory and
            the parameter that lead to the dependency.
    """
    found: list[str] = []
    _collect_problems(resource, manager, (), "", set(), found)
    return found


def _collect_problems(
    resource: ResourceDescriptor,
    manager: ResourceManager | None,
    path: tuple[ResourceDescriptor, ...],
    where: str,
    checked: set[Hashable],
    found: list[str],
) -> None:
    if manager is not None and manager.holds(resource):
        return
    if (message := cycle(path, resource)) is not None:
        found.append(message)
        return
    if resource.key in checked:
        return
    checked.add(resource.key)
    try:
        needs = resource.dependencies()
        resource.check()
    except ResourceError as error:
        found.append(f"{where}{error}")
        return
    for parameter, need in needs.items():
        place = f"{where}{resource.name}, parameter {parameter!r}: "
        _collect_problems(need, manager, (*path, resource), place, checked, found)
