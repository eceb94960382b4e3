"""Descriptors of resources: the part of an annotation that tells how to make a resource."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class ResourceDescriptor(Protocol):
    """Tells how to make a resource; implemented by `Resource` and `ResourceConfig`.

    A descriptor does not hold the resource. A `ResourceManager` does, if the resource is cached.
    """

    @property
    def name(self) -> str:
        """The name of the resource, in errors and for `ResourceManager.set`."""

    @property
    def cache(self) -> bool:
        """True if made once for each `ResourceManager`; False if made for each execution."""

    @property
    def key(self) -> Hashable:
        """The identity of the resource: descriptors with equal keys make the same resource.

        A key is valid as long as its descriptor exists.
        """

    def bound_to(self, annotated: Any, names: Mapping[str, Any]) -> ResourceDescriptor:
        """Return the descriptor for the annotated type; see `resource_of`."""

    def dependencies(self) -> Mapping[str, ResourceDescriptor]:
        """Return the resources needed to make this one, by the names of the arguments of `build`.

        Raises:
            ResourceError: the dependencies cannot be determined.
        """

    def check(self) -> None:
        """Check, without making the resource, that the resource can be made.

        Raises:
            ResourceError: the resource cannot be made.
        """

    async def build(self, arguments: Mapping[str, Any]) -> Any:
        """Make the resource from its dependencies."""
