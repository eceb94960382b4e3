"""What an annotation says of a resource: how to make it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class ResourceDescriptor(Protocol):
    """What an annotation says of a resource: how to make it. `Resource` and `ResourceConfig` are.

    It holds nothing of what it makes; that is kept by a `ResourceManager`, or not at all.
    """

    @property
    def name(self) -> str:
        """What people call it: in errors, and in `ResourceManager.set`."""

    @property
    def cache(self) -> bool:
        """Whether it is made once for each `ResourceManager`, or anew for each step."""

    @property
    def key(self) -> Hashable:
        """What tells it apart; two with the same key make the same resource.

        It stays valid as long as the descriptor exists.
        """

    def bound_to(self, annotated: Any, names: Mapping[str, Any]) -> ResourceDescriptor:
        """The descriptor for this annotated type; see `resource_of`."""

    def dependencies(self) -> Mapping[str, ResourceDescriptor]:
        """The resources that are needed to make it, by the name `build` wants them under.

        Raises:
            ResourceError: it cannot be said what it needs.
        """

    def check(self) -> None:
        """Check what can be checked without making it.

        Raises:
            ResourceError: it cannot be made.
        """

    async def build(self, arguments: Mapping[str, Any]) -> Any:
        """Make it, from the resources it needs."""
